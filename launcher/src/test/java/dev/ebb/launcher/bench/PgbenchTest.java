package dev.ebb.launcher.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.model.Secret;
import org.junit.jupiter.api.Test;

final class PgbenchTest {
  private static final Target TARGET =
      new Target("Ebb", "127.0.0.1", 6432, "d", "u", new Secret("hush"));

  @Test
  void throughputIsReadWithoutTheTimeThatConnectingTook() {
    assertThat(
            Pgbench.tps(
                TARGET,
                """
                pgbench (15.14, server 18.6)
                number of transactions actually processed: 1234
                number of failed transactions: 0 (0.000%)
                latency average = 0.05 ms
                initial connection time = 5.0 ms
                tps = 19876.543210 (without initial connection time)
                """))
        .isEqualTo(19876.54321);
  }

  @Test
  void failedTransactionsAreNoResult() {
    assertThatThrownBy(() -> Pgbench.tps(TARGET, "number of failed transactions: 3 (0.1%)"))
        .isInstanceOf(BenchFailure.class)
        .hasMessageContaining("3 transactions failed on Ebb");
  }

  @Test
  void outputWithoutThroughputIsAFailureThatShowsIt() {
    assertThatThrownBy(() -> Pgbench.tps(TARGET, "pgbench: error: connection refused"))
        .isInstanceOf(BenchFailure.class)
        .hasMessageContaining("connection refused");
  }

  @Test
  void passwordIsInTheEnvironmentOnly() {
    assertThat(TARGET.libpqEnvironment()).containsEntry("PGPASSWORD", "hush");
    assertThat(TARGET.toString()).doesNotContain("hush");
  }
}
