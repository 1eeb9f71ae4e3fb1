package dev.ebb.launcher.bench;

import dev.ebb.launcher.bench.Pgbench.Workload;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What {@code bench overhead} found.
 *
 * @param targets by name; the last one is the bare PostgreSQL, which the others are compared with
 */
record OverheadReport(
    Machine machine,
    int scale,
    int sliceSeconds,
    String protocol,
    Map<String, String> settings,
    List<String> targets,
    List<Cell> cells)
    implements BenchRun.Report {

  /**
   * One workload with so many clients.
   *
   * @param tps of every slice, by target
   */
  record Cell(Workload workload, int clients, Map<String, List<Double>> tps) {
    double medianTps(String target) {
      return median(tps.getOrDefault(target, List.of()));
    }
  }

  /** Of an even number: the mean of the two in the middle; of none: 0. */
  static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    int middle = sorted.length / 2;
    if (sorted.length == 0) {
      return 0;
    }
    return sorted.length % 2 == 1
        ? sorted[middle]
        : Arrays.stream(sorted, middle - 1, middle + 1).average().orElse(0);
  }

  @Override
  public String text() {
    List<String> heads = new ArrayList<>(List.of("tps, median of slices"));
    targets.forEach(heads::add);
    compared().forEach(target -> heads.add(target + " / " + targets.getLast()));
    var table = new Table(heads.toArray(String[]::new));
    for (Cell cell : cells) {
      List<String> row = new ArrayList<>();
      row.add(cell.workload().words() + ", " + cell.clients() + " clients");
      targets.forEach(
          target -> row.add(String.format(Locale.ROOT, "%.0f", cell.medianTps(target))));
      compared()
          .forEach(target ->
              row.add(WakeReport.ratio(cell.medianTps(target), cell.medianTps(targets.getLast()))));
      table.row(row.toArray(String[]::new));
    }
    return String.format(
        Locale.ROOT,
        "%s%nscale %d, %s protocol, slices of %d s in turns; the bare PostgreSQL with fsync=on%n"
            + "both: %s%n%n%s",
        machine.words(),
        scale,
        protocol,
        sliceSeconds,
        settings,
        table);
  }

  private List<String> compared() {
    return targets.subList(0, targets.size() - 1);
  }

  @Override
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("bench", "overhead");
    json.put("machine", machine.json());
    json.put("scale", scale);
    json.put("sliceSeconds", sliceSeconds);
    json.put("protocol", protocol);
    json.put("settings", settings);
    List<Object> list = new ArrayList<>();
    for (Cell cell : cells) {
      Map<String, Object> object = new LinkedHashMap<>();
      object.put("workload", cell.workload().words());
      object.put("clients", cell.clients());
      object.put("tps", cell.tps());
      Map<String, Object> ratios = new LinkedHashMap<>();
      double bare = cell.medianTps(targets.getLast());
      compared()
          .forEach(target -> ratios.put(target, bare > 0 ? cell.medianTps(target) / bare : 0.0));
      object.put("ratios", ratios);
      list.add(object);
    }
    json.put("cells", list);
    return json;
  }
}
