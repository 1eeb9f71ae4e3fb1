package dev.ebb.launcher.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.bench.OverheadReport.Cell;
import dev.ebb.launcher.bench.Pgbench.Workload;
import dev.ebb.launcher.client.Json;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class OverheadReportTest {
  private static final OverheadReport REPORT =
      new OverheadReport(
          new Machine(2, 24_000_000_000L, "cpu", "Linux 6", "ext4", 900),
          10,
          5,
          "simple",
          Map.of("shared_buffers", "128MB"),
          List.of("Ebb", "PostgreSQL"),
          List.of(
              new Cell(
                  Workload.SELECT_ONLY,
                  8,
                  Map.of(
                      "Ebb", List.of(90.0, 300.0, 100.0), "PostgreSQL", List.of(190.0, 210.0)))));

  @Test
  void medianOfOddAndEvenAndNone() {
    assertThat(OverheadReport.median(List.of(3.0, 1.0, 2.0))).isEqualTo(2.0);
    assertThat(OverheadReport.median(List.of(4.0, 1.0, 2.0, 3.0))).isEqualTo(2.5);
    assertThat(OverheadReport.median(List.of())).isZero();
  }

  @Test
  void tableHasTheRatioOfTheMedians() {
    assertThat(REPORT.text())
        .contains("| select-only, 8 clients | 100 |        200 |           0.50 × |");
  }

  @Test
  void jsonHasEverySliceAndTheRatio() {
    assertThat(Json.write(REPORT.json()))
        .contains("\"Ebb\":[90.0,300.0,100.0]")
        .contains("\"ratios\":{\"Ebb\":0.5}");
  }
}
