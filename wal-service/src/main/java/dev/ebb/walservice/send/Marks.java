package dev.ebb.walservice.send;

import dev.ebb.shared.model.Lsn;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;

/**
 * Where a branch's topic can be read from in the middle, as its readers found out: a topic has no
 * index by position. For any thread.
 */
final class Marks {
  /** Marks are so far apart at least. */
  private static final long APART_BYTES = 8 << 20;

  /**
   * A record of the topic that is known to be valid.
   *
   * @param offset the record's
   * @param from reading from there gives every byte from here on
   * @param boundary a record's end, its start or a page's start, at or behind {@code from}
   * @param previous the start of the WAL record before {@code boundary}, or {@code Lsn.INVALID}
   */
  record Mark(long offset, Lsn from, Lsn boundary, Lsn previous) {}

  private final ConcurrentSkipListMap<Lsn, Mark> marks = new ConcurrentSkipListMap<>();

  void add(Mark mark) {
    Map.Entry<Lsn, Mark> before = marks.floorEntry(mark.from());
    if (before == null || mark.from().minus(before.getKey()) >= APART_BYTES) {
      marks.put(mark.from(), mark);
    }
  }

  /** The last one that gives everything from {@code lsn} on; null: read from the beginning. */
  @Nullable Mark before(Lsn lsn) {
    Map.Entry<Lsn, Mark> found = marks.floorEntry(lsn);
    return found == null ? null : found.getValue();
  }

  /** One of them turned out to be of no use: perhaps the topic was trimmed. */
  void clear() {
    marks.clear();
  }
}
