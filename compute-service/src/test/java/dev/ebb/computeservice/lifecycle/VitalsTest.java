package dev.ebb.computeservice.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class VitalsTest {
  private static long seconds(long count) {
    return TimeUnit.SECONDS.toNanos(count);
  }

  private final Vitals vitals = new Vitals(0);

  @Test
  void whoAnswersNobodyForLongHangs() {
    vitals.answered(seconds(5));
    vitals.met(seconds(5));

    assertThat(vitals.failed(seconds(15))).isFalse();
    assertThat(vitals.failed(seconds(24))).isFalse();
    assertThat(vitals.failed(seconds(26))).isTrue();
  }

  /** Its sessions live on without the postmaster. */
  @Test
  void whoAnswersButLetsNobodyInHangs() {
    vitals.met(seconds(5));
    assertThat(vitals.isToBeMet(seconds(9))).isFalse();
    assertThat(vitals.isToBeMet(seconds(10))).isTrue();

    vitals.answered(seconds(10));
    assertThat(vitals.failed(seconds(20))).isFalse();
    vitals.answered(seconds(21));
    assertThat(vitals.failed(seconds(31))).isTrue();
  }

  /** What fails may be the catalog, or the store. */
  @Test
  void whoAnswersAndLetsInDoesNotHangWhateverElseFails() {
    for (int i = 1; i < 100; i++) {
      vitals.answered(seconds(i));
      if (vitals.isToBeMet(seconds(i))) {
        vitals.met(seconds(i));
      }
      assertThat(vitals.failed(seconds(i))).isFalse();
    }
  }

  @Test
  void machineThatStoodStillIsNoHang() {
    assertThat(vitals.failed(seconds(60))).isFalse();
    vitals.answered(seconds(61));
    vitals.met(seconds(61));
    vitals.well();
    assertThat(vitals.failed(seconds(120))).isFalse();
  }
}
