package dev.ebb.launcher.bench;

import dev.ebb.launcher.bench.Samples.Summary;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What {@code bench wake} found.
 *
 * @param suspended Ebb: connection to first row on a suspended database
 * @param tables of the crowded database; 0 where there is none
 * @param crowded Ebb: connection to first row on a suspended database with that many tables
 * @param stopped the bare PostgreSQL: its start, then connection to first row
 * @param awake Ebb: connection to first row on an awake database
 * @param running the bare PostgreSQL: connection to first row while it runs
 */
record WakeReport(
    Machine machine,
    String query,
    int warmup,
    Map<String, String> settings,
    Summary suspended,
    int tables,
    Summary crowded,
    WakeParts crowdedParts,
    Summary stopped,
    Summary awake,
    Summary running,
    WakeParts parts)
    implements BenchRun.Report {

  @Override
  public String text() {
    Table table =
        new Table("connect to first row, ms", "min", "p50", "p99", "max")
            .row(row("Ebb, suspended", suspended))
            .row(row("PostgreSQL, stopped", stopped))
            .row(ratio("ratio", suspended, stopped))
            .row(row("Ebb, awake", awake))
            .row(row("PostgreSQL, running", running))
            .row(ratio("ratio", awake, running));
    if (tables > 0) {
      table
          .row(row("Ebb, suspended, " + tables + " tables", crowded))
          .row(ratio("ratio to Ebb, suspended", crowded, suspended));
    }
    return String.format(
        Locale.ROOT,
        "%s%n%d rounds in turns behind %d to warm up; query: %s%nboth: %s%n%n%s%nparts of a wake,"
            + " ms%n%n%s%s",
        machine.words(),
        suspended.count(),
        warmup,
        query,
        settings,
        table,
        parts.table(),
        tables == 0 ? "" : "\nof one with " + tables + " tables\n\n" + crowdedParts.table());
  }

  @Override
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("bench", "wake");
    json.put("machine", machine.json());
    json.put("query", query);
    json.put("warmup", warmup);
    json.put("settings", settings);
    json.put("ebbSuspended", suspended.json());
    json.put("postgresStopped", stopped.json());
    json.put("ebbAwake", awake.json());
    json.put("postgresRunning", running.json());
    json.put(
        "ratio",
        Map.of(
            "p50",
            suspended.p50Ms() / stopped.p50Ms(),
            "p99",
            suspended.p99Ms() / stopped.p99Ms()));
    json.put("parts", parts.json());
    if (tables > 0) {
      json.put("tables", tables);
      json.put("ebbSuspendedCrowded", crowded.json());
      json.put("crowdedRatioP50", crowded.p50Ms() / suspended.p50Ms());
      json.put("crowdedParts", crowdedParts.json());
    }
    return json;
  }

  private static String[] row(String name, Summary summary) {
    return new String[] {
      name, ms(summary.minMs()), ms(summary.p50Ms()), ms(summary.p99Ms()), ms(summary.maxMs())
    };
  }

  private static String[] ratio(String name, Summary ebb, Summary bare) {
    return new String[] {
      name,
      ratio(ebb.minMs(), bare.minMs()),
      ratio(ebb.p50Ms(), bare.p50Ms()),
      ratio(ebb.p99Ms(), bare.p99Ms()),
      ratio(ebb.maxMs(), bare.maxMs())
    };
  }

  static String ms(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }

  static String ratio(double ebb, double bare) {
    return bare > 0 ? String.format(Locale.ROOT, "%.2f ×", ebb / bare) : "?";
  }
}
