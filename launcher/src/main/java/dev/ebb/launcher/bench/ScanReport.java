package dev.ebb.launcher.bench;

import dev.ebb.launcher.bench.Samples.Summary;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What {@code bench scan} found.
 *
 * @param dropped whether the kernel's page cache was empty before each first scan, of the object
 *     store's files as well
 * @param ebbCold Ebb: the first scan behind a wake
 * @param bareCold the bare PostgreSQL: the first scan behind its start
 */
record ScanReport(
    Machine machine,
    long bytes,
    int warmup,
    boolean dropped,
    Map<String, String> settings,
    Summary ebbCold,
    Summary bareCold,
    Summary ebbWarm,
    Summary bareWarm)
    implements BenchRun.Report {

  @Override
  public String text() {
    Table table =
        new Table("count(*), ms", "min", "p50", "max", "MB/s")
            .row(row("Ebb, first", ebbCold))
            .row(row("PostgreSQL, first", bareCold))
            .row(ratio(ebbCold, bareCold))
            .row(row("Ebb, again", ebbWarm))
            .row(row("PostgreSQL, again", bareWarm))
            .row(ratio(ebbWarm, bareWarm));
    return String.format(
        Locale.ROOT,
        "%s%n%d rounds behind %d to warm up; a table of %.0f MB; %s%nboth: %s%n%n%s",
        machine.words(),
        ebbCold.count(),
        warmup,
        bytes / 1e6,
        dropped
            ? "page cache dropped before each first scan"
            : "the page cache could not be dropped (root may): the first scans of the bare"
                + " PostgreSQL are not cold",
        settings,
        table);
  }

  @Override
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("bench", "scan");
    json.put("machine", machine.json());
    json.put("bytes", bytes);
    json.put("warmup", warmup);
    json.put("pageCacheDropped", dropped);
    json.put("settings", settings);
    json.put("ebbFirst", ebbCold.json());
    json.put("postgresFirst", bareCold.json());
    json.put("ebbAgain", ebbWarm.json());
    json.put("postgresAgain", bareWarm.json());
    json.put("ratio", Map.of("first", ebbCold.p50Ms() / bareCold.p50Ms()));
    return json;
  }

  private String[] row(String name, Summary summary) {
    return new String[] {
      name,
      WakeReport.ms(summary.minMs()),
      WakeReport.ms(summary.p50Ms()),
      WakeReport.ms(summary.maxMs()),
      String.format(Locale.ROOT, "%.0f", bytes / 1e3 / Math.max(summary.p50Ms(), 0.001))
    };
  }

  private static String[] ratio(Summary ebb, Summary bare) {
    return new String[] {
      "ratio",
      WakeReport.ratio(ebb.minMs(), bare.minMs()),
      WakeReport.ratio(ebb.p50Ms(), bare.p50Ms()),
      WakeReport.ratio(ebb.maxMs(), bare.maxMs()),
      ""
    };
  }
}
