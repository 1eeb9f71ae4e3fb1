package dev.ebb.launcher.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code bench gateway} found.
 *
 * @param pgbouncer its version; null where there is none
 */
record GatewayReport(
    Machine machine,
    @Nullable String pgbouncer,
    int scale,
    int poolSize,
    int turnSeconds,
    Map<String, String> settings,
    List<Cell> cells,
    List<Idle> idle)
    implements BenchRun.Report {
  private static final String REFERENCE = "PgBouncer";
  private static final String DIRECT = "direct";

  /**
   * One workload with so many clients.
   *
   * @param ways by name
   */
  record Cell(String workload, int clients, Map<String, Measured> ways) {}

  /**
   * Memory of a process with so many idle clients.
   *
   * @param heapBytes in use behind a full collection; 0 where it has no such heap
   */
  record Idle(String way, int clients, long residentBytes, long heapBytes) {}

  /** Of one way, all its turns. */
  static final class Measured {
    private final List<Double> tps = new ArrayList<>();
    private final Samples latencies = new Samples();
    private long transactions;
    private long cpuMicros;

    Samples latencies() {
      return latencies;
    }

    /**
     * A turn is over.
     *
     * @param cpu microseconds of processor time that the process in between took meanwhile
     */
    void add(Pgbench.Selected selected, long cpu) {
      tps.add(selected.tps());
      transactions += selected.transactions();
      cpuMicros += cpu;
    }

    double medianTps() {
      return OverheadReport.median(tps);
    }

    double cpuMicrosPerStatement() {
      return transactions == 0 ? 0 : (double) cpuMicros / transactions;
    }
  }

  @Override
  public String text() {
    var table =
        new Table(
            "select-only",
            "clients",
            "tps, median",
            "p50 ms",
            "p99 ms",
            "CPU µs / statement",
            "tps / PgBouncer",
            "tps / direct");
    for (Cell cell : cells) {
      cell.ways().forEach((name, way) -> table.row(row(cell, name, way)));
    }
    var memory = new Table("idle clients", "RSS MB", "KB / client", "heap MB", "heap KB / client");
    for (Idle one : idle) {
      memory.row(row(one));
    }
    return String.format(
        Locale.ROOT,
        "%s%nscale %d, pools of %d connections, turns of %d s; PgBouncer %s%ncompute: %s%n%n%s%n%s",
        machine.words(),
        scale,
        poolSize,
        turnSeconds,
        pgbouncer == null ? "is not installed" : pgbouncer,
        settings,
        table,
        memory);
  }

  private static String[] row(Cell cell, String name, Measured way) {
    Samples.Summary latency = way.latencies().summary();
    return new String[] {
      cell.workload() + ", " + name,
      Integer.toString(cell.clients()),
      number("%.0f", way.medianTps()),
      number("%.2f", latency.p50Ms()),
      number("%.2f", latency.p99Ms()),
      way.cpuMicros == 0 ? "" : number("%.1f", way.cpuMicrosPerStatement()),
      ratio(cell, way, REFERENCE),
      ratio(cell, way, DIRECT)
    };
  }

  private static String ratio(Cell cell, Measured way, String to) {
    Measured other = cell.ways().get(to);
    return other == null || other == way
        ? ""
        : WakeReport.ratio(way.medianTps(), other.medianTps());
  }

  private String[] row(Idle one) {
    Idle none =
        idle.stream()
            .filter(other -> other.way().equals(one.way()) && other.clients() == 0)
            .findFirst()
            .orElse(one);
    return new String[] {
      one.way() + ", " + one.clients(),
      number("%.0f", one.residentBytes() / 1e6),
      each(one.residentBytes() - none.residentBytes(), one),
      one.heapBytes() == 0 ? "" : number("%.0f", one.heapBytes() / 1e6),
      one.heapBytes() == 0 ? "" : each(one.heapBytes() - none.heapBytes(), one)
    };
  }

  private static String each(long bytes, Idle of) {
    return of.clients() == 0 ? "" : number("%.1f", bytes / 1e3 / of.clients());
  }

  private static String number(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }

  @Override
  public Map<String, Object> json() {
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("bench", "gateway");
    report.put("machine", machine.json());
    report.put("pgbouncer", pgbouncer == null ? "" : pgbouncer);
    report.put("scale", scale);
    report.put("poolSize", poolSize);
    report.put("turnSeconds", turnSeconds);
    report.put("settings", settings);
    List<Object> list = new ArrayList<>();
    for (Cell cell : cells) {
      cell.ways()
          .forEach((name, way) -> {
            Map<String, Object> object = new LinkedHashMap<>();
            object.put("workload", cell.workload());
            object.put("clients", cell.clients());
            object.put("way", name);
            object.put("tps", way.tps);
            object.put("latency", way.latencies().summary().json());
            object.put("cpuMicrosPerStatement", way.cpuMicrosPerStatement());
            list.add(object);
          });
    }
    report.put("cells", list);
    List<Object> memory = new ArrayList<>();
    for (Idle one : idle) {
      memory.add(
          Map.of(
              "way", one.way(),
              "clients", one.clients(),
              "residentBytes", one.residentBytes(),
              "heapBytes", one.heapBytes()));
    }
    report.put("idle", memory);
    return report;
  }
}
