package dev.ebb.launcher.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class MetricsTextTest {
  private static final MetricsText BEFORE =
      new MetricsText(
          """
          # HELP ebb_gateway_wake_seconds how long
          # TYPE ebb_gateway_wake_seconds summary
          ebb_gateway_wake_seconds_count{outcome="ok"} 3
          ebb_gateway_wake_seconds_sum{outcome="ok"} 0.3
          up 1
          """);

  @Test
  void timerThatRanOnceTellsHowLong() {
    var after =
        new MetricsText(
            """
            ebb_gateway_wake_seconds_count{outcome="ok"} 4.0
            ebb_gateway_wake_seconds_sum{outcome="ok"} 0.345
            """);

    assertThat(after.onceMicros(BEFORE, "ebb_gateway_wake")).hasValue(45_000);
    assertThat(after.onceMicros(BEFORE, "ebb_gateway_wake", "outcome=\"ok\"")).hasValue(45_000);
    assertThat(after.onceMicros(BEFORE, "ebb_gateway_wake", "outcome=\"no\"")).isEmpty();
  }

  @Test
  void timerThatRanTwiceOrNeverTellsNothing() {
    var twice =
        new MetricsText(
            """
            ebb_gateway_wake_seconds_count{outcome="ok"} 5
            ebb_gateway_wake_seconds_sum{outcome="ok"} 0.4
            """);

    assertThat(twice.onceMicros(BEFORE, "ebb_gateway_wake")).isEmpty();
    assertThat(BEFORE.onceMicros(BEFORE, "ebb_gateway_wake")).isEmpty();
    assertThat(new MetricsText("").onceMicros(new MetricsText(""), "x")).isEmpty();
  }

  @Test
  void timerThatIsNewCountsFromZero() {
    var first =
        new MetricsText("ebb_x_seconds_count 1\nebb_x_seconds_sum 1.5E-4\nnonsense here\n{} x\n");

    assertThat(first.onceMicros(new MetricsText(""), "ebb_x")).hasValue(150);
  }
}
