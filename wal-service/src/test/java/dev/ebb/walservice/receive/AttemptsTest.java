package dev.ebb.walservice.receive;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.error.EbbException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class AttemptsTest {
  private static final Duration GONE_AFTER = Duration.ofSeconds(30);

  private final Attempts attempts = new Attempts(GONE_AFTER);
  private final List<Attempts.News> news = new ArrayList<>();
  private long now = 1_000_000_000_000L;

  private void pass(Duration time) {
    now += time.toNanos();
  }

  /** Attempts that fail, with their pauses, for so long. */
  private int failFor(Duration time) {
    long end = now + time.toNanos();
    int count = 0;
    while (now < end) {
      news.add(attempts.ended(now));
      pass(Duration.ofMillis(attempts.pauseMs()));
      count++;
    }
    return count;
  }

  @Test
  void pausesDoubleUpToTheirBound() {
    List<Long> pauses = new ArrayList<>();
    for (int i = 0; i < 13; i++) {
      attempts.ended(now);
      pauses.add(attempts.pauseMs());
    }
    assertThat(pauses)
        .containsExactly(2L, 4L, 8L, 16L, 32L, 64L, 128L, 256L, 512L, 1024L, 2000L, 2000L, 2000L);
  }

  @Test
  void troubleIsToldOnceAndItsEndOnce() {
    int count = failFor(Duration.ofMinutes(10));
    assertThat(count).as("attempts in 10 minutes").isLessThan(320);
    assertThat(news).containsOnlyOnce(Attempts.News.LOST).doesNotContain(Attempts.News.BACK);

    news.clear();
    news.add(attempts.established(now));
    assertThat(news).containsExactly(Attempts.News.BACK);
    pass(Duration.ofMinutes(1));
    assertThat(attempts.ended(now)).as("a stream that lasted").isEqualTo(Attempts.News.NONE);
    assertThat(attempts.pauseMs()).isEqualTo(2);
  }

  @Test
  void streamsThatBreakAtOnceAreOneTrouble() {
    for (int i = 0; i < 1_000; i++) {
      news.add(attempts.established(now));
      pass(Duration.ofMillis(5));
      news.add(attempts.ended(now));
      pass(Duration.ofMillis(attempts.pauseMs()));
    }
    assertThat(news).containsOnlyOnce(Attempts.News.LOST).containsOnlyOnce(Attempts.News.BACK);
  }

  @Test
  void primaryThatStopsIsNotWorthALine() {
    attempts.established(now);
    pass(Duration.ofMinutes(5));
    failFor(Duration.ofMillis(500));
    assertThat(news).containsOnly(Attempts.News.NONE);
  }

  @Test
  void unannouncedPrimaryIsGivenUpAfterTheBoundOnly() {
    failFor(GONE_AFTER.minusSeconds(3));
    assertThat(attempts.giveUp(now, Sighting.ABSENT)).isNull();
    pass(Duration.ofSeconds(3));
    attempts.ended(now);
    assertThat(attempts.giveUp(now, Sighting.ABSENT)).isInstanceOf(EbbException.Unavailable.class);
  }

  @Test
  void announcedPrimaryIsNeverGivenUp() {
    failFor(Duration.ofHours(1));
    assertThat(attempts.giveUp(now, Sighting.ANNOUNCED)).isNull();
  }

  @Test
  void establishedStreamBeginsTheBoundAnew() {
    failFor(GONE_AFTER.multipliedBy(2));
    attempts.established(now);
    attempts.ended(now);
    assertThat(attempts.giveUp(now, Sighting.ABSENT)).isNull();
  }

  @Test
  void replacedPrimaryIsGivenUpAtOnceAsFenced() {
    attempts.ended(now);
    assertThat(attempts.giveUp(now, Sighting.REPLACED)).isInstanceOf(EbbException.Fenced.class);
  }
}
