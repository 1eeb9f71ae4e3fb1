package dev.ebb.computeservice.replicas;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

final class StartPaceTest {
  private static final Duration LONGEST = Duration.ofSeconds(32);

  private final StartPace pace = new StartPace();

  /** As good as any other origin of {@link System#nanoTime}: it overflows soon. */
  private long now = Long.MAX_VALUE - Duration.ofSeconds(10).toNanos();

  private void pass(Duration time) {
    now += time.toNanos();
  }

  /** How long it takes until one may be started, by steps of its finest. */
  private Duration pause() {
    long begin = now;
    while (!pace.mayStart(now)) {
      pass(Duration.ofMillis(100));
    }
    return Duration.ofNanos(now - begin);
  }

  private static List<Duration> doubling(int count) {
    return LongStream.range(0, count)
        .mapToObj(i -> Duration.ofMillis(500L << Math.min(i, 6)))
        .toList();
  }

  @Test
  void replicaThatStartsWellAndDiesAgainAndAgainIsStartedLessAndLessOften() {
    List<Duration> pauses = new ArrayList<>();
    for (int i = 0; i < 11; i++) {
      pauses.add(pause());
      pace.started(now);
      pass(Duration.ofMillis(0)); // it dies at once
    }
    assertThat(pauses.subList(0, 2)).as("the first, and the one that died").containsOnly(zero());
    assertThat(pauses.subList(2, 11)).isEqualTo(doubling(9));
    assertThat(pauses.getLast()).isEqualTo(LONGEST);
  }

  private static Duration zero() {
    return Duration.ZERO;
  }

  /** What ends at the pace of the longest pause has not lived. */
  @Test
  void onlyOneThatHasLivedForAWhileMakesThePausesShortAgain() {
    for (int i = 0; i < 9; i++) {
      pause();
      pace.started(now);
    }
    pass(Duration.ofSeconds(40));
    assertThat(pause()).isZero();
    pace.started(now);
    assertThat(pause()).as("it lived for 40 s").isEqualTo(LONGEST);
    pace.started(now);

    pass(Duration.ofSeconds(91));
    assertThat(pause()).isZero();
    pace.started(now);
    assertThat(pause()).as("behind one that lived").isZero();
    pace.started(now);
    assertThat(pause()).isEqualTo(Duration.ofMillis(500));
  }

  @Test
  void startsThatFailAreTriedLessAndLessOften() {
    List<Duration> pauses = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      pace.failed(now);
      pauses.add(pause());
    }
    assertThat(pauses).isEqualTo(doubling(9));
    pace.started(now);
    assertThat(pause()).as("the first that went well").isZero();
  }
}
