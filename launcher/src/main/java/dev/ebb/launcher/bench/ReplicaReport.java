package dev.ebb.launcher.bench;

import dev.ebb.launcher.bench.Samples.Summary;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What {@code bench replica} found.
 *
 * @param asleep a replica added to a branch that sleeps: from the request to its first row
 * @param busy to one that was just written to: it has to catch up first
 * @param wake a wake of the same branch: connection to first row
 * @param stopped the bare PostgreSQL: its start, then connection to first row
 */
record ReplicaReport(
    Machine machine,
    int warmup,
    Map<String, String> settings,
    Summary asleep,
    Summary busy,
    Summary wake,
    Summary stopped)
    implements BenchRun.Report {

  @Override
  public String text() {
    Table table =
        new Table("to first row, ms", "min", "p50", "p99", "max")
            .row(row("replica added, branch asleep", asleep))
            .row(row("replica added, branch written to", busy))
            .row(row("wake", wake))
            .row(row("PostgreSQL, stopped", stopped))
            .row(ratio("asleep, to a wake", asleep, wake))
            .row(ratio("written to, to a wake", busy, wake));
    return String.format(
        Locale.ROOT,
        "%s%n%d rounds in turns behind %d to warm up%nboth: %s%n%n%s",
        machine.words(),
        asleep.count(),
        warmup,
        settings,
        table);
  }

  @Override
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("bench", "replica");
    json.put("machine", machine.json());
    json.put("warmup", warmup);
    json.put("settings", settings);
    json.put("replicaAsleep", asleep.json());
    json.put("replicaBusy", busy.json());
    json.put("wake", wake.json());
    json.put("postgresStopped", stopped.json());
    json.put("ratioP50", asleep.p50Ms() / wake.p50Ms());
    json.put("busyRatioP50", busy.p50Ms() / wake.p50Ms());
    return json;
  }

  private static String[] row(String name, Summary summary) {
    return new String[] {
      name,
      WakeReport.ms(summary.minMs()),
      WakeReport.ms(summary.p50Ms()),
      WakeReport.ms(summary.p99Ms()),
      WakeReport.ms(summary.maxMs())
    };
  }

  private static String[] ratio(String name, Summary replica, Summary other) {
    return new String[] {
      name,
      WakeReport.ratio(replica.minMs(), other.minMs()),
      WakeReport.ratio(replica.p50Ms(), other.p50Ms()),
      WakeReport.ratio(replica.p99Ms(), other.p99Ms()),
      WakeReport.ratio(replica.maxMs(), other.maxMs())
    };
  }
}
