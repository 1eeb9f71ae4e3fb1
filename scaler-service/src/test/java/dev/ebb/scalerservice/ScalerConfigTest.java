package dev.ebb.scalerservice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.ebb.shared.model.BranchAddress;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class ScalerConfigTest {
  @Test
  void allViolationsAreInOneMessage() {
    assertThatIllegalArgumentException()
        .isThrownBy(() ->
            new ScalerConfig(
                Duration.ofSeconds(-1),
                Map.of(BranchAddress.parse("shop"), Duration.ofMillis(-1)),
                Duration.ZERO,
                Map.of(),
                0))
        .withMessageContaining("the idle timeout is negative")
        .withMessageContaining("shop@main")
        .withMessageContaining("tick")
        .withMessageContaining("bootstrap.servers")
        .withMessageContaining("replication factor 0");
  }

  @Test
  void printedConfigHidesKafkasProperties() {
    var config =
        new ScalerConfig(
            Duration.ofMinutes(5),
            Map.of(),
            Duration.ofSeconds(1),
            Map.of("bootstrap.servers", "127.0.0.1:9092", "sasl.jaas.config", "hush"),
            3);

    assertThat(config.toString()).doesNotContain("hush");
  }
}
