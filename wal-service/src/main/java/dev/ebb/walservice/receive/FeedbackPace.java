package dev.ebb.walservice.receive;

import java.time.Duration;
import java.util.OptionalLong;
import java.util.function.LongSupplier;

/**
 * When a primary is told what queries on its standbys need: first of all, since its slot keeps what
 * an earlier connection said, then on change, and now and then as long as there is something; as
 * {@code XLogWalRcvSendHSFeedback} in {@code walreceiver.c}. One connection's; one thread at a
 * time.
 */
final class FeedbackPace {
  /** Commits come by thousands a second: what is needed is not looked at for each. */
  static final Duration LOOK = Duration.ofSeconds(1);

  /** As {@code wal_receiver_status_interval}. */
  static final Duration REPEAT = Duration.ofSeconds(10);

  private final LongSupplier oldest;
  private boolean begun;
  private long told;
  private long toldNanos;
  private long lookedNanos;

  FeedbackPace(LongSupplier oldest) {
    this.oldest = oldest;
  }

  /** What to tell at this moment, if anything. */
  OptionalLong due(long now) {
    if (begun && now - lookedNanos < LOOK.toNanos()) {
      return OptionalLong.empty();
    }
    lookedNanos = now;
    long present = oldest.getAsLong();
    boolean repeated = present != 0 && now - toldNanos >= REPEAT.toNanos();
    if (begun && present == told && !repeated) {
      return OptionalLong.empty();
    }
    begun = true;
    told = present;
    toldNanos = now;
    return OptionalLong.of(present);
  }
}
