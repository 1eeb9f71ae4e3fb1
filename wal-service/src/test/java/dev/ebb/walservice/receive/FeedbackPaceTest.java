package dev.ebb.walservice.receive;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.walservice.protocol.StandbyMessage;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class FeedbackPaceTest {
  private static final long LOOK = FeedbackPace.LOOK.toNanos();
  private static final long REPEAT = FeedbackPace.REPEAT.toNanos();

  private final AtomicLong oldest = new AtomicLong();
  private final AtomicInteger looks = new AtomicInteger();
  private final FeedbackPace pace =
      new FeedbackPace(() -> {
        looks.incrementAndGet();
        return oldest.get();
      });

  @Test
  void newConnectionTakesBackWhatAnEarlierOneSaidAndSaysNoMore() {
    assertThat(pace.due(-LOOK)).isEqualTo(OptionalLong.of(0));
    assertThat(pace.due(-LOOK + 1)).isEmpty();
    assertThat(pace.due(3 * REPEAT)).isEmpty();
  }

  @Test
  void whatIsNeededIsToldOnChangeAndRepeated() {
    oldest.set(800);
    assertThat(pace.due(0)).isEqualTo(OptionalLong.of(800));
    assertThat(pace.due(LOOK)).isEmpty();
    oldest.set(700);
    assertThat(pace.due(2 * LOOK)).isEqualTo(OptionalLong.of(700));
    assertThat(pace.due(2 * LOOK + REPEAT - 1)).isEmpty();
    assertThat(pace.due(3 * LOOK + REPEAT)).isEqualTo(OptionalLong.of(700));
    oldest.set(0);
    assertThat(pace.due(4 * LOOK + REPEAT)).isEqualTo(OptionalLong.of(0));
    assertThat(pace.due(4 * LOOK + 3 * REPEAT)).isEmpty();
  }

  @Test
  void commitsDoNotLookAtIt() {
    assertThat(pace.due(0)).isPresent();
    for (int commit = 1; commit < 1_000; commit++) {
      oldest.set(commit);
      assertThat(pace.due(commit)).isEmpty();
    }
    assertThat(looks).hasValue(1);
  }

  @Test
  void messageIsThatOfPostgresAndNeverHasACatalogXmin() {
    byte[] frame =
        StreamMessage.feedback(0x0000_0002_FFFF_FFF1L, Instant.parse("2000-01-01T00:00:01Z"));

    assertThat(HexFormat.of().formatHex(frame))
        .isEqualTo(
            "64"
                + "0000001d"
                + "68"
                + "00000000000f4240"
                + "fffffff1"
                + "00000002"
                + "00000000"
                + "00000000");
    assertThat(StandbyMessage.parse(Arrays.copyOfRange(frame, 5, frame.length)))
        .isEqualTo(new StandbyMessage.HotStandbyFeedback(1_000_000, 0x0000_0002_FFFF_FFF1L, 0));
  }
}
