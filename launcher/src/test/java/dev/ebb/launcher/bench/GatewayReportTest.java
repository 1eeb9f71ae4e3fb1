package dev.ebb.launcher.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.bench.GatewayReport.Cell;
import dev.ebb.launcher.bench.GatewayReport.Idle;
import dev.ebb.launcher.bench.GatewayReport.Measured;
import dev.ebb.launcher.client.Json;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class GatewayReportTest {
  private static final GatewayReport REPORT =
      new GatewayReport(
          new Machine(2, 24_000_000_000L, "cpu", "Linux 6", "ext4", 900),
          "1.24.1",
          5,
          20,
          3,
          Map.of("shared_buffers", "64MB"),
          List.of(
              new Cell(
                  "simple",
                  16,
                  ways(
                      "direct", measured(0, 200, 100, 300),
                      "PgBouncer", measured(15, 160),
                      "Ebb, pool", measured(20, 120)))),
          List.of(
              new Idle("Ebb, pool", 0, 300_000_000, 30_000_000),
              new Idle("Ebb, pool", 1_000, 306_000_000, 38_000_000)));

  private static Map<String, Measured> ways(
      String first, Measured one, String second, Measured two, String third, Measured three) {
    var ways = new LinkedHashMap<String, Measured>();
    ways.put(first, one);
    ways.put(second, two);
    ways.put(third, three);
    return ways;
  }

  private static Measured measured(long cpuMicrosEach, double... tps) {
    var measured = new Measured();
    for (double each : tps) {
      measured.add(new Pgbench.Selected(each, 1_000), 1_000 * cpuMicrosEach);
      measured.latencies().addMicros(500);
    }
    return measured;
  }

  @Test
  void tableComparesWithPgBouncerAndWithNothingInBetween() {
    assertThat(rows())
        .contains("| simple, direct | 16 | 200 | 0.50 | 0.50 | | 1.25 × | |")
        .contains("| simple, PgBouncer | 16 | 160 | 0.50 | 0.50 | 15.0 | | 0.80 × |")
        .contains("| simple, Ebb, pool | 16 | 120 | 0.50 | 0.50 | 20.0 | 0.75 × | 0.60 × |");
  }

  @Test
  void memoryIsSharedOutAmongIdleClients() {
    assertThat(rows())
        .contains("| Ebb, pool, 0 | 300 | | 30 | |")
        .contains("| Ebb, pool, 1000 | 306 | 6.0 | 38 | 8.0 |");
  }

  private static List<String> rows() {
    return REPORT.text().lines().map(line -> line.replaceAll(" +", " ")).toList();
  }

  @Test
  void jsonHasEveryTurn() {
    assertThat(Json.write(REPORT.json()))
        .contains("\"tps\":[200.0,100.0,300.0]", "\"residentBytes\":306000000");
  }
}
