package dev.ebb.walservice.fork;

import dev.ebb.shared.bus.WalMessage.ForkLog;
import dev.ebb.shared.bus.WalMessage.LogForked;
import dev.ebb.shared.bus.WalMessage.LogForked.Outcome;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.history.BranchHistory;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.record.WalSource;
import dev.ebb.walservice.topic.LogTopics;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Makes the log of a child branch: a fence and a start record of generation 0, then the parent's
 * WAL up to the cut. To every reader that is an ordinary log whose primary died at the cut; the
 * child's first primary has generation 1 and recovers from it.
 *
 * <p>What makes a repetition harmless is what protects every log: each attempt is a term of its
 * own, whose fence ends the one before, and from generation 1 on none of them counts any more. A
 * half-made copy is never used: the child's head, without which nothing starts, is made behind the
 * last acknowledgement.
 *
 * <p>The parent's history is read as recovery reads it (fences and start records obeyed) and only
 * up to a whole record; a later opening of the parent's log cannot override that.
 */
public final class LogFork {
  private static final int PIECE_BYTES = 1 << 20;
  private static final int MAX_IN_FLIGHT = 16;

  /** The child's long headers name the child, so that its log is of one piece (storage rule 32). */
  private static final int SYSTEM_IDENTIFIER_AT = 24;

  /** A position that a session just saw may still be on its way. */
  private static final Duration ARRIVAL = Duration.ofSeconds(2);

  private static final Duration ARRIVAL_PAUSE = Duration.ofMillis(20);

  private final LogTopics topics;
  private final Function<ForkLog, BranchHistory> histories;
  private final long writer;
  private final Duration timeout;

  /**
   * One attempt's.
   *
   * @param histories makes an empty history of the parent
   * @param writer random: tells this attempt's term from others
   * @param timeout for each exchange with the topics
   */
  public LogFork(
      LogTopics topics, Function<ForkLog, BranchHistory> histories, long writer, Duration timeout) {
    this.topics = topics;
    this.histories = histories;
    this.writer = writer;
    this.timeout = timeout;
  }

  /** Tells how far a log is durable; {@code Lsn.INVALID} where all that can be read is. */
  @FunctionalInterface
  public interface Durable {
    Lsn lsn();
  }

  /** Finds the cut and copies. */
  public LogForked fork(ForkLog request, Durable durable) throws InterruptedException {
    try (BranchHistory history = histories.apply(request)) {
      long deadline = System.nanoTime() + ARRIVAL.toNanos();
      while (true) {
        LogForked forked =
            history.useDurable(
                topics, request.parent(), timeout, source -> fork(request, source, durable.lsn()));
        if (forked.outcome() != Outcome.BEHIND_END || System.nanoTime() - deadline > 0) {
          return forked;
        }
        Thread.sleep(ARRIVAL_PAUSE);
      }
    }
  }

  private LogForked fork(ForkLog request, @Nullable WalSource read, Lsn durable) {
    WalSource source = read == null ? null : upTo(read, durable);
    if (source == null || !source.end().isAfter(request.from())) {
      return nothingBehind(request, source);
    }
    if (source.first().isAfter(request.from())) {
      return new LogForked(Outcome.NOT_IN_LOG, Lsn.INVALID, source.end(), 0);
    }
    BranchPoint at = request.at();
    if (at != null && at.kind() == BranchPoint.Kind.LSN && at.lsn().isAfter(source.end())) {
      return new LogForked(Outcome.BEHIND_END, Lsn.INVALID, source.end(), 0);
    }
    CutFinder.Cut found =
        CutFinder.find(source, request.walSegmentBytes(), request.from(), request.floor(), at);
    if (found.end().isBefore(request.floor())) {
      throw new EbbException.Corrupt(
          "the log of "
              + request.parent()
              + " breaks at "
              + found.end()
              + ", before the snapshot's end "
              + request.floor());
    }
    if (!found.cut().isValid()) {
      return new LogForked(Outcome.BEFORE_FLOOR, Lsn.INVALID, found.end(), 0);
    }
    copy(request, source, found.cut());
    return new LogForked(
        Outcome.FORKED, found.cut(), found.end(), found.cut().minus(request.from()));
  }

  /** The log has nothing behind a snapshot that needs nothing: the child needs none. */
  private LogForked nothingBehind(ForkLog request, @Nullable WalSource source) {
    if (request.from().isBefore(request.floor())) {
      return new LogForked(
          Outcome.NOT_IN_LOG, Lsn.INVALID, source == null ? request.from() : source.end(), 0);
    }
    BranchPoint at = request.at();
    if (at != null && at.kind() == BranchPoint.Kind.LSN) {
      if (at.lsn().isAfter(request.floor())) {
        return new LogForked(Outcome.BEHIND_END, Lsn.INVALID, request.floor(), 0);
      }
      if (at.lsn().isBefore(request.floor())) {
        return new LogForked(Outcome.BEFORE_FLOOR, Lsn.INVALID, request.floor(), 0);
      }
    }
    return new LogForked(Outcome.FORKED, request.floor(), request.floor(), 0);
  }

  private static WalSource upTo(WalSource source, Lsn limit) {
    if (!limit.isValid() || !limit.isBefore(source.end())) {
      return source;
    }
    return new WalSource() {
      @Override
      public Lsn first() {
        return source.first();
      }

      @Override
      public Lsn end() {
        return limit;
      }

      @Override
      public void read(Lsn at, byte[] into, int offset, int length) {
        source.read(at, into, offset, length);
      }
    };
  }

  private void copy(ForkLog request, WalSource source, Lsn cut) {
    Lsn at = request.from();
    if (!at.isBefore(cut)) {
      return;
    }
    topics.create(request.child(), timeout);
    var term = new Term(Generation.NONE, writer);
    var appends = new Appends(request);
    long fence = appends.now(LogRecord.fence(term));
    appends.later(LogRecord.start(term, at, fence));
    while (at.isBefore(cut)) {
      var bytes = new byte[(int) Math.min(PIECE_BYTES, cut.minus(at))];
      source.read(at, bytes, 0, bytes.length);
      identify(bytes, at, request.walSegmentBytes(), request.childSystemIdentifier());
      appends.later(LogRecord.wal(term, at, bytes));
      at = at.plus(bytes.length);
    }
    appends.awaitAll();
  }

  /** Puts the child's identifier into the long headers of the segments that begin in here. */
  private static void identify(byte[] bytes, Lsn from, int segmentBytes, long identifier) {
    long segment = from.value() & -(long) segmentBytes;
    for (; segment < from.value() + bytes.length; segment += segmentBytes) {
      for (int i = 0; i < Long.BYTES; i++) {
        long at = segment + SYSTEM_IDENTIFIER_AT + i - from.value();
        if (at >= 0 && at < bytes.length) {
          bytes[(int) at] = (byte) (identifier >>> (8 * i));
        }
      }
    }
  }

  /** Appends to the child's topic, some at a time. */
  private final class Appends {
    private final ForkLog request;
    private final java.util.ArrayDeque<CompletableFuture<Long>> inFlight =
        new java.util.ArrayDeque<>();

    Appends(ForkLog request) {
      this.request = request;
    }

    long now(LogRecord record) {
      later(record);
      return await(inFlight.removeLast());
    }

    void later(LogRecord record) {
      while (inFlight.size() >= MAX_IN_FLIGHT) {
        await(inFlight.removeFirst());
      }
      var done = new CompletableFuture<Long>();
      topics.append(
          request.child(),
          record,
          (offset, error) -> {
            if (error == null) {
              done.complete(offset);
            } else {
              done.completeExceptionally(error);
            }
          });
      inFlight.add(done);
    }

    void awaitAll() {
      while (!inFlight.isEmpty()) {
        await(inFlight.removeFirst());
      }
    }

    private long await(CompletableFuture<Long> append) {
      try {
        return append.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
      } catch (ExecutionException e) {
        throw new EbbException.Unavailable(
            "the log of " + request.child() + " could not be written: " + e.getCause(), e);
      } catch (TimeoutException e) {
        throw new EbbException.Unavailable(
            "the log of "
                + request.child()
                + " could not be written within "
                + timeout.toMillis()
                + " ms: is Kafka reachable?",
            e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new EbbException.Unavailable("interrupted", e);
      }
    }
  }
}
