package dev.ebb.walservice.send;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.history.FileHistory;
import dev.ebb.walservice.log.LogFold;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.record.RecordReader;
import dev.ebb.walservice.record.WalPage;
import dev.ebb.walservice.topic.LogTopics;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The history that a branch's topic tells, read on demand: no faster than it is taken, a bounded
 * piece ahead. Records are walked as {@code LogEnd} walks them for a new generation, so that both
 * find the same ends.
 */
final class TopicHistory implements WalHistory {
  /** Read from the topic at a time. */
  private static final long AHEAD_BYTES = 8 << 20;

  private static final Duration READ_TIMEOUT = Duration.ofSeconds(5);

  /** Without news for so long, the topic itself is asked. */
  private static final long LOOK_AFTER_NANOS = Duration.ofSeconds(1).toNanos();

  private static final long SEEN_APART_BYTES = 64 << 10;

  private static final Lsn FARTHEST = new Lsn(Long.MAX_VALUE);

  private record Seen(long offset, Lsn lsn) {}

  private final LogTopics topics;
  private final DurableEnds ends;
  private final ServedBranch branch;
  private final Marks marks;
  private final FileHistory spool;

  private LogFold fold;
  private boolean begun;
  private long firstOffset;
  private boolean fromBeginning;
  private long next;

  /** Behind the last whole record; where the next one is looked for. */
  private Lsn position = Lsn.INVALID;

  private Lsn previous = Lsn.INVALID;
  private Lsn sent = Lsn.INVALID;

  /** Records of the topic behind the last mark, some distance apart. */
  private final ArrayDeque<Seen> seen = new ArrayDeque<>();

  private long bytesAhead;
  private long newsNanos;

  TopicHistory(
      LogTopics topics, DurableEnds ends, ServedBranch branch, Marks marks, Path directory) {
    this.topics = topics;
    this.ends = ends;
    this.branch = branch;
    this.marks = marks;
    this.spool = new FileHistory(directory, Lsn.INVALID);
    this.fold = LogFold.fromBeginning(spool);
  }

  /**
   * The last place that gives everything from a position on: one that a reader left, or that a
   * snapshot knows. Null: the topic's beginning.
   */
  private Marks.@Nullable Mark placeBefore(Lsn lsn) {
    Marks.Mark mark = marks.before(lsn);
    if (mark != null && lsn.minus(mark.from()) <= AHEAD_BYTES) {
      return mark;
    }
    ServedBranch.Hint hint = branch.hints().before(lsn).orElse(null);
    return hint == null || (mark != null && mark.from().isAfter(hint.lsn()))
        ? mark
        : new Marks.Mark(hint.offset(), hint.lsn(), hint.lsn(), Lsn.INVALID);
  }

  /** Starts to read anew at a mark, or at the topic's beginning. */
  private void begin(Marks.@Nullable Mark at) {
    spool.clear();
    begun = true;
    fromBeginning = at == null;
    fold = at == null ? LogFold.fromBeginning(spool) : LogFold.fromValidRecord(spool);
    next = at == null ? 0 : at.offset();
    firstOffset = next;
    position = at == null ? Lsn.INVALID : at.boundary();
    previous = at == null ? Lsn.INVALID : at.previous();
    sent = Lsn.INVALID;
    seen.clear();
  }

  @Override
  public Lsn end() throws InterruptedException {
    if (!begun) {
      begin(placeBefore(FARTHEST));
    }
    readAll(Lsn.INVALID);
    return position;
  }

  @Override
  public Lsn seek(Lsn from) throws InterruptedException {
    if (!begun || fold.isEmpty() || from.isBefore(kept())) {
      begin(placeBefore(from));
    }
    sent = Lsn.INVALID;
    try {
      readAll(from);
    } catch (RemovedException e) {
      if (fromBeginning) {
        throw e;
      }
    }
    if (!fromBeginning && (fold.isEmpty() || from.isBefore(kept()))) {
      // The place was of no use: something of the topic is gone, or was written anew.
      begin(null);
      readAll(from);
    }
    Lsn start = from;
    if (fold.isEmpty() || from.isBefore(kept())) {
      if (fold.isEmpty() || !fromBeginning || !isInOneSegment(from, fold.base())) {
        throw new RemovedException(from);
      }
      start = fold.base();
    }
    if (start.isAfter(position)) {
      throw new AheadException(from, position);
    }
    sent = start;
    return start;
  }

  private Lsn kept() {
    return Lsn.max(fold.base(), spool.keptFrom());
  }

  private boolean isInOneSegment(Lsn a, Lsn b) {
    long mask = -(long) branch.segmentBytes();
    return (a.value() & mask) == (b.value() & mask);
  }

  /** Reads all that there is now; keeps what lies from {@code from} on. */
  private void readAll(Lsn from) {
    long end = ends.durableEnd(branch.id(), false, READ_TIMEOUT);
    // What is behind stays in the topic until it is wanted.
    while (next < end && (!from.isValid() || !position.isAfter(from.plus(AHEAD_BYTES)))) {
      read(end);
      Lsn unused = from.isValid() && from.isBefore(position) ? from : position;
      spool.dropBefore(WalPage.startOf(unused));
    }
  }

  @Override
  public byte[] next(int maxBytes, Duration wait) throws InterruptedException {
    if (!sent.isValid()) {
      throw new IllegalStateException("not told where to read from");
    }
    long deadline = System.nanoTime() + wait.toNanos();
    while (!sent.isBefore(position)) {
      spool.dropBefore(WalPage.startOf(sent));
      long now = System.nanoTime();
      long end = ends.durableEnd(branch.id(), now - newsNanos > LOOK_AFTER_NANOS, READ_TIMEOUT);
      if (next < end) {
        read(end);
        continue;
      }
      if (now - newsNanos > LOOK_AFTER_NANOS) {
        newsNanos = now;
      }
      if (now - deadline >= 0) {
        return new byte[0];
      }
      ends.awaitMoreThan(branch.id(), next, Duration.ofNanos(deadline - now));
    }
    var bytes = new byte[(int) Math.min(maxBytes, position.minus(sent))];
    spool.read(sent, bytes, 0, bytes.length);
    sent = sent.plus(bytes.length);
    return bytes;
  }

  @Override
  public Lsn position() {
    return position;
  }

  private void read(long end) {
    bytesAhead = 0;
    try {
      topics.read(branch.id(), next, end, this::take, READ_TIMEOUT);
      if (bytesAhead < AHEAD_BYTES) {
        next = end;
      }
    } catch (EbbException.NotFound e) {
      if (fold.lastOffset() < 0) {
        marks.clear();
        throw new RemovedException(new Lsn(0));
      }
      throw e;
    } finally {
      next = Math.max(next, fold.lastOffset() + 1);
    }
    newsNanos = System.nanoTime();
    walk();
  }

  private boolean take(LogRecord.Stored stored) {
    fold.accept(stored);
    LogRecord record = stored.record();
    if (fold.lastValidOffset() == stored.offset()) {
      switch (record.kind()) {
        case START -> {
          // A mark may name one that lies before its boundary, perhaps inside a record.
          if (fromBeginning || stored.offset() != firstOffset) {
            started(record.lsn());
          }
        }
        case WAL -> {
          bytesAhead += record.bytes().length;
          if (!position.isValid()) {
            throw new IllegalStateException("WAL without a start");
          }
          seen(stored);
        }
        case FENCE -> throw new IllegalStateException("a fence is no part of the history");
      }
    }
    return bytesAhead < AHEAD_BYTES;
  }

  /** A generation goes on from here: never before a whole record that was sent. */
  private void started(Lsn start) {
    if (sent.isValid() && start.isBefore(sent)) {
      throw new EbbException.Corrupt(
          "the log of "
              + branch.name()
              + " is overridden from "
              + start
              + " on, but was sent up to "
              + sent);
    }
    walk();
    if (!position.isValid() || start.isBefore(position)) {
      if (start.isBefore(spool.keptFrom())) {
        spool.clear();
      }
      position = start;
      previous = Lsn.INVALID;
      seen.clear();
    }
  }

  private void walk() {
    if (!position.isValid() || fold.isEmpty() || !position.isBefore(fold.end())) {
      return;
    }
    // A new reader: it remembers a page whose rest was not there.
    var reader = new RecordReader(fold.source(), branch.segmentBytes(), position, previous);
    while (reader.next() instanceof RecordReader.Found) {
      // goes on
    }
    position = reader.position();
    previous = reader.previous();
    mark();
  }

  private void seen(LogRecord.Stored stored) {
    Seen last = seen.peekLast();
    Lsn lsn = stored.record().lsn();
    if (last == null || lsn.minus(last.lsn()) >= SEEN_APART_BYTES) {
      seen.add(new Seen(stored.offset(), lsn));
    }
  }

  private void mark() {
    Seen newest = null;
    for (Seen head = seen.peek();
        head != null && !head.lsn().isAfter(position);
        head = seen.peek()) {
      newest = seen.remove();
    }
    if (newest != null) {
      marks.add(new Marks.Mark(newest.offset(), newest.lsn(), position, previous));
    }
  }

  @Override
  public void close() {
    spool.close();
  }
}
