package dev.ebb.launcher.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

final class WakePartsTest {
  @Test
  void partsComeFromTheApiAndFromTheGatewaysTimers() {
    var parts = new WakeParts();

    parts.add(
        new MetricsText(""),
        new MetricsText(
            """
            ebb_gateway_connect_seconds_count{part="auth",started="true"} 1
            ebb_gateway_connect_seconds_sum{part="auth",started="true"} 0.002
            ebb_gateway_connect_seconds_count{part="auth",started="false"} 7
            ebb_gateway_connect_seconds_sum{part="auth",started="false"} 0.2
            """),
        Map.of("started", false, "parts", Map.of("postgresMicros", 21_000, "logMicros", 0)));

    assertThat(parts.json()).containsOnlyKeys("auth", "logMicros", "postgresMicros");
    assertThat(parts.table().toString())
        .contains("| - postgres                     | 21.0 | 21.0 | 21.0 |")
        .contains("| - skeleton                     |    ? |    ? |    ? |");
  }

  @Test
  void answerOfAnotherShapeIsNoPart() {
    var parts = new WakeParts();

    parts.add(new MetricsText(""), new MetricsText(""), null);

    assertThat(parts.json()).isEmpty();
  }
}
