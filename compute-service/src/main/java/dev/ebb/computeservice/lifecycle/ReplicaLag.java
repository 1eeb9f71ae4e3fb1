package dev.ebb.computeservice.lifecycle;

import dev.ebb.shared.model.Lsn;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * How far a replica is behind: by what is durable and not replayed, and for how long the oldest of
 * that has been known to be durable. Commit times would not do: behind a pause of the primary's the
 * last one is old though nothing is missing. For one thread; the figures for any.
 */
final class ReplicaLag {
  /** More positions than that are not told apart: the oldest ones count. */
  private static final int MAX_SEEN = 600;

  /** Positions of the log's end behind what is replayed, with when each was seen first. */
  private final ArrayDeque<Seen> ahead = new ArrayDeque<>();

  private volatile Lsn replayed = Lsn.INVALID;
  private volatile Lsn durable = Lsn.INVALID;
  private volatile long lagMs;

  private record Seen(Lsn end, long nanos) {}

  /**
   * A look.
   *
   * @param nowReplayed up to where it has replayed
   * @param known up to where the log is durable, as far as one knows; what was known before stays
   *     known
   */
  void observe(Lsn nowReplayed, Lsn known, long nowNanos) {
    // What is replayed was durable: only that is ever sent.
    Lsn end = Lsn.max(Lsn.max(durable, known), nowReplayed);
    if (end.isAfter(durable) && ahead.size() < MAX_SEEN) {
      ahead.add(new Seen(end, nowNanos));
    }
    while (!ahead.isEmpty() && !ahead.getFirst().end().isAfter(nowReplayed)) {
      ahead.removeFirst();
    }
    Seen oldest = ahead.peekFirst();
    lagMs =
        !end.isAfter(nowReplayed) || oldest == null
            ? 0
            : TimeUnit.NANOSECONDS.toMillis(nowNanos - oldest.nanos());
    durable = end;
    replayed = nowReplayed;
  }

  Lsn replayed() {
    return replayed;
  }

  Lsn durable() {
    return durable;
  }

  long lagMs() {
    return lagMs;
  }
}
