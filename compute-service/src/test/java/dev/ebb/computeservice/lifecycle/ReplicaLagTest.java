package dev.ebb.computeservice.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.Lsn;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class ReplicaLagTest {
  private final ReplicaLag lag = new ReplicaLag();

  private void look(long replayed, long known, long atMs) {
    lag.observe(new Lsn(replayed), new Lsn(known), TimeUnit.MILLISECONDS.toNanos(atMs));
  }

  @Test
  void whatIsReplayedIsNoLagHoweverOldItIs() {
    look(100, 100, 0);
    look(100, 100, 60_000);

    assertThat(lag.lagMs()).isZero();
    assertThat(lag.durable()).isEqualTo(new Lsn(100));
  }

  @Test
  void lagIsTheAgeOfTheOldestThatIsMissing() {
    look(100, 100, 0);
    look(100, 200, 1_000);
    assertThat(lag.lagMs()).as("seen just now").isZero();
    look(100, 300, 2_000);
    assertThat(lag.lagMs()).isEqualTo(1_000);
    look(200, 300, 3_000);
    assertThat(lag.lagMs()).as("of what came later").isEqualTo(1_000);
    look(300, 300, 4_000);
    assertThat(lag.lagMs()).isZero();
  }

  @Test
  void endThatIsNoLongerToldStaysKnown() {
    look(100, 300, 0);
    look(100, 0, 500);

    assertThat(lag.durable()).isEqualTo(new Lsn(300));
    assertThat(lag.lagMs()).isEqualTo(500);
  }

  @Test
  void whoReplayedMoreThanAnybodyToldIsNotBehind() {
    look(400, 300, 0);

    assertThat(lag.durable()).isEqualTo(new Lsn(400));
    assertThat(lag.lagMs()).isZero();
  }

  @Test
  void endlessLagTakesBoundedMemory() {
    for (int i = 1; i <= 10_000; i++) {
      look(1, 1 + i, i);
    }

    assertThat(lag.lagMs()).isEqualTo(9_999);
    assertThat(lag.durable()).isEqualTo(new Lsn(10_001));
  }
}
