package dev.ebb.launcher.bench;

import dev.ebb.launcher.bench.Samples.Summary;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What {@code bench branch} found. */
record BranchReport(int rounds, int warmup, int clients, List<Size> sizes)
    implements BenchRun.Report {

  /**
   * Branches of one kind.
   *
   * @param created until the API's answer
   * @param answered until the first row of the branch, creation included
   */
  record Times(Samples created, Samples answered) {
    Times() {
      this(new Samples(), new Samples());
    }
  }

  /**
   * Of a parent of one size.
   *
   * @param stored what the store holds of it before the first branch
   * @param wake connection to first row of the suspended parent itself
   * @param transactionsPerSecond what was written to the busy parent meanwhile
   */
  record Size(
      String label,
      BenchServer.Stored stored,
      Summary wake,
      Times suspended,
      Times busy,
      long transactionsPerSecond) {}

  @Override
  public String text() {
    var table = new Table("ms", "min", "p50", "p99", "max", "p50 to wake");
    for (Size size : sizes) {
      add(table, size.label() + ": wake of the database", size.wake(), size.wake());
      add(table, size.label() + ", parent suspended: created", size.suspended().created(), size);
      add(table, size.label() + ", parent suspended: first row", size.suspended().answered(), size);
      add(table, size.label() + ", parent busy: created", size.busy().created(), size);
      add(table, size.label() + ", parent busy: first row", size.busy().answered(), size);
    }
    var text =
        new StringBuilder(
            String.format(
                Locale.ROOT,
                "%d rounds behind %d to warm up; a busy parent is written to by %d sessions%n%n%s",
                rounds,
                warmup,
                clients,
                table));
    for (Size size : sizes) {
      text.append(
          String.format(
              Locale.ROOT,
              "%n%s: %d MB of data, %d MB in the store; %d transactions a second while its branches"
                  + " were made",
              size.label(),
              size.stored().logicalBytes() >> 20,
              size.stored().ownBytes() >> 20,
              size.transactionsPerSecond()));
    }
    return text.toString();
  }

  private static void add(Table table, String name, Samples samples, Size size) {
    add(table, name, samples.summary(), size.wake());
  }

  private static void add(Table table, String name, Summary summary, Summary wake) {
    table.row(
        name,
        WakeReport.ms(summary.minMs()),
        WakeReport.ms(summary.p50Ms()),
        WakeReport.ms(summary.p99Ms()),
        WakeReport.ms(summary.maxMs()),
        WakeReport.ratio(summary.p50Ms(), wake.p50Ms()));
  }

  @Override
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("bench", "branch");
    json.put("rounds", rounds);
    json.put("warmup", warmup);
    json.put("clients", clients);
    json.put("sizes", sizes.stream().map(BranchReport::json).toList());
    return json;
  }

  private static Map<String, Object> json(Size size) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("size", size.label());
    json.put("logicalBytes", size.stored().logicalBytes());
    json.put("storedBytes", size.stored().ownBytes());
    json.put("wake", size.wake().json());
    json.put("suspendedCreated", size.suspended().created().summary().json());
    json.put("suspendedFirstRow", size.suspended().answered().summary().json());
    json.put("busyCreated", size.busy().created().summary().json());
    json.put("busyFirstRow", size.busy().answered().summary().json());
    json.put("busyTransactionsPerSecond", size.transactionsPerSecond());
    return json;
  }
}
