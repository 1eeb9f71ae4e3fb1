package dev.ebb.launcher.bench;

import dev.ebb.launcher.bench.Samples.Summary;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What {@code bench capture} found: the latency of transactions, on the server that was captured
 * and on the other.
 *
 * @param rate transactions a second; 0 for as many as there could be
 */
record CaptureReport(
    Machine machine,
    int clients,
    int rate,
    int scale,
    int sliceSeconds,
    String interval,
    Summary captured,
    Summary plain,
    double capturedTps,
    double plainTps,
    Captures captures)
    implements BenchRun.Report {

  /**
   * What the captures of the first server came to, in its own time and in the other's turns.
   *
   * @param longestCommitMs in the middle of a capture
   * @param failed captures that did not become snapshots
   */
  record Captures(
      double count,
      double failed,
      double seconds,
      double checkpointSeconds,
      double auditSeconds,
      double longestCommitMs,
      double changedBytes,
      double uploadedBytes) {

    static Captures between(MetricsText before, MetricsText after) {
      return new Captures(
          since(before, after, "ebb_capture_seconds_count"),
          since(before, after, "ebb_capture_failures_total"),
          since(before, after, "ebb_capture_seconds_sum"),
          since(before, after, "ebb_capture_checkpoint_seconds_sum"),
          since(before, after, "ebb_capture_audit_seconds_sum"),
          after.sum("ebb_capture_commit_seconds_max") * 1e3,
          since(before, after, "ebb_capture_changed_bytes_total"),
          since(before, after, "ebb_capture_uploaded_bytes_total"));
    }

    private static double since(MetricsText before, MetricsText after, String name) {
      return after.sum(name) - before.sum(name);
    }

    /** Bytes written for each byte of changed pages. */
    double amplification() {
      return changedBytes > 0 ? uploadedBytes / changedBytes : 0;
    }
  }

  @Override
  public String text() {
    Table table =
        new Table("transactions, ms", "p50", "p99", "max", "tps")
            .row(row("captured every " + interval, captured, capturedTps))
            .row(row("never captured", plain, plainTps))
            .row(
                "ratio",
                WakeReport.ratio(captured.p50Ms(), plain.p50Ms()),
                WakeReport.ratio(captured.p99Ms(), plain.p99Ms()),
                WakeReport.ratio(captured.maxMs(), plain.maxMs()),
                WakeReport.ratio(capturedTps, plainTps));
    return String.format(
        Locale.ROOT,
        "%s%nTPC-B, scale %d, %d clients%s, slices of %d s in turns%n%n%s%n"
            + "%.0f captures, %.0f failed; each %.0f ms, of them %.0f checkpoint, %.0f audit;"
            + " longest commit in one %.0f ms%n"
            + "%.1f MB of changed pages, %.1f MB written: %.2f ×%n",
        machine.words(),
        scale,
        clients,
        rate == 0 ? "" : ", " + rate + " transactions a second",
        sliceSeconds,
        table,
        captures.count(),
        captures.failed(),
        each(captures.seconds()),
        each(captures.checkpointSeconds()),
        each(captures.auditSeconds()),
        captures.longestCommitMs(),
        captures.changedBytes() / 1e6,
        captures.uploadedBytes() / 1e6,
        captures.amplification());
  }

  private double each(double seconds) {
    return captures.count() > 0 ? seconds * 1e3 / captures.count() : 0;
  }

  private static String[] row(String name, Summary summary, double tps) {
    return new String[] {
      name,
      String.format(Locale.ROOT, "%.2f", summary.p50Ms()),
      String.format(Locale.ROOT, "%.2f", summary.p99Ms()),
      String.format(Locale.ROOT, "%.1f", summary.maxMs()),
      String.format(Locale.ROOT, "%.0f", tps)
    };
  }

  @Override
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("bench", "capture");
    json.put("machine", machine.json());
    json.put("clients", clients);
    json.put("rate", rate);
    json.put("scale", scale);
    json.put("sliceSeconds", sliceSeconds);
    json.put("interval", interval);
    json.put("captured", captured.json());
    json.put("plain", plain.json());
    json.put("capturedTps", capturedTps);
    json.put("plainTps", plainTps);
    json.put("ratioP99", plain.p99Ms() > 0 ? captured.p99Ms() / plain.p99Ms() : 0.0);
    json.put("captures", captures.count());
    json.put("failedCaptures", captures.failed());
    json.put("captureMs", each(captures.seconds()));
    json.put("checkpointMs", each(captures.checkpointSeconds()));
    json.put("auditMs", each(captures.auditSeconds()));
    json.put("longestCommitMs", captures.longestCommitMs());
    json.put("changedBytes", captures.changedBytes());
    json.put("uploadedBytes", captures.uploadedBytes());
    return json;
  }
}
