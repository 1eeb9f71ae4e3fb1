package dev.ebb.walservice.session;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.Command;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.LogWriter;
import dev.ebb.walservice.log.Opening;
import dev.ebb.walservice.topic.LogTopics;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One term of a branch's log on its topic. Carries out what the {@link LogWriter} wants and lets
 * others wait for what it says. Thread-safe; WAL is appended by one thread.
 */
public final class LogSession {
  private static final Logger log = LoggerFactory.getLogger(LogSession.class);
  private static final Duration READ_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration READ_RETRY = Duration.ofMillis(200);

  private record InFlight(Lsn end, int bytes, long sinceNanos) {}

  private final LogTopics topics;
  private final BranchId branch;
  private final LogWriter writer;
  private final Executor executor;
  private final WalMetrics metrics;
  private final int maxInFlightBytes;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final CompletableFuture<Lsn> opened = new CompletableFuture<>();
  private final ArrayDeque<InFlight> inFlight = new ArrayDeque<>();
  private long inFlightBytes;
  private Command.@Nullable End end;
  private volatile Runnable progress = () -> {};

  /**
   * A session that has done nothing yet.
   *
   * @param executor for blocking work, unbounded: virtual threads
   * @param maxInFlightBytes how much may be appended and not durable before appends wait
   */
  public LogSession(
      LogTopics topics,
      BranchId branch,
      LogWriter writer,
      Executor executor,
      WalMetrics metrics,
      int maxInFlightBytes) {
    this.topics = topics;
    this.branch = branch;
    this.writer = writer;
    this.executor = executor;
    this.metrics = metrics;
    this.maxInFlightBytes = maxInFlightBytes;
  }

  /** Starts the term; the future gives where it starts, or fails with an {@code EbbException}. */
  public CompletableFuture<Lsn> open() {
    lock.lock();
    try {
      execute(writer.open());
    } finally {
      lock.unlock();
    }
    return opened;
  }

  /** Ends it without a word to the topic: nothing is acknowledged any more. */
  public void abandon(String why) {
    lock.lock();
    try {
      execute(writer.appendFailed(why));
    } finally {
      lock.unlock();
    }
  }

  /**
   * Appends WAL, which begins where the last ended. Waits while too much is in flight.
   *
   * @return false where the session has ended
   */
  public boolean append(Lsn lsn, byte[] bytes) throws InterruptedException {
    Command.Append append;
    lock.lockInterruptibly();
    try {
      while (end == null && inFlightBytes > 0 && inFlightBytes + bytes.length > maxInFlightBytes) {
        changed.await();
      }
      if (end != null) {
        return false;
      }
      List<Command> commands = writer.appendWal(lsn, bytes);
      append = (Command.Append) commands.getFirst();
      inFlight.add(new InFlight(lsn.plus(bytes.length), bytes.length, System.nanoTime()));
      inFlightBytes += bytes.length;
      metrics.undurableBytes.addAndGet(bytes.length);
    } finally {
      lock.unlock();
    }
    // Outside of the lock: the producer may wait for room, which the thread that reports
    // acknowledgements makes.
    send(append);
    metrics.appendedBytes.increment(bytes.length);
    return true;
  }

  /** What may be acknowledged; {@code Lsn.INVALID} before the term started. */
  public Lsn durable() {
    lock.lock();
    try {
      return writer.durable();
    } finally {
      lock.unlock();
    }
  }

  /** For how long the oldest record that is not durable yet has been waited for; else zero. */
  public Duration waitingFor() {
    lock.lock();
    try {
      InFlight oldest = inFlight.peek();
      return oldest == null
          ? Duration.ZERO
          : Duration.ofNanos(System.nanoTime() - oldest.sinceNanos());
    } finally {
      lock.unlock();
    }
  }

  /** Where the next WAL must begin. */
  public Lsn appendEnd() {
    lock.lock();
    try {
      return writer.appendEnd();
    } finally {
      lock.unlock();
    }
  }

  /** The newest record known to be valid, -1 before the term started. */
  public long provenOffset() {
    lock.lock();
    try {
      return writer.provenOffset();
    } finally {
      lock.unlock();
    }
  }

  /** How a further session of the same generation begins, where this one cannot go on. */
  public Opening again() {
    lock.lock();
    try {
      return writer.again();
    } finally {
      lock.unlock();
    }
  }

  /** Why it ended; null while it goes on. */
  public Command.@Nullable End end() {
    lock.lock();
    try {
      return end;
    } finally {
      lock.unlock();
    }
  }

  /** The error that tells why it ended. */
  public static EbbException toException(Command.End end) {
    return switch (end) {
      case Command.Fenced fenced -> new EbbException.Fenced(fenced.why());
      case Command.Displaced displaced -> new EbbException.Unavailable(displaced.why());
      case Command.Uncertain uncertain -> new EbbException.Unavailable(uncertain.why());
      case Command.Corrupted corrupted -> new EbbException.Corrupt(corrupted.why());
    };
  }

  /** Waits until the durable LSN is at least {@code lsn}; false after the time, or at the end. */
  public boolean awaitDurable(Lsn lsn, Duration timeout) throws InterruptedException {
    return await(() -> !writer.durable().isBefore(lsn), timeout);
  }

  /** Waits until the newest valid record is behind {@code offset}; false after the time. */
  public boolean awaitProvenBehind(long offset, Duration timeout) throws InterruptedException {
    return await(() -> writer.provenOffset() > offset, timeout);
  }

  private boolean await(BooleanSupplier come, Duration timeout) throws InterruptedException {
    long left = timeout.toNanos();
    lock.lockInterruptibly();
    try {
      while (!come.getAsBoolean()) {
        if (end != null || left <= 0) {
          return false;
        }
        left = changed.awaitNanos(left);
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Sets who is told that {@link #durable} or {@link #end} may have changed: under a lock, on any
   * thread, so that it must neither block nor call this session. One at a time, the last one set.
   */
  public void onProgress(Runnable listener) {
    progress = listener;
  }

  private void send(Command.Append append) {
    topics.append(
        branch,
        append.record(),
        (offset, error) -> {
          lock.lock();
          try {
            execute(
                error == null
                    ? writer.appended(append.ticket(), offset)
                    : writer.appendFailed("a record could not be appended: " + error.getMessage()));
          } finally {
            lock.unlock();
          }
        });
  }

  /** Under the lock; may be on the producer's thread: what can block goes elsewhere. */
  private void execute(List<Command> commands) {
    for (Command command : commands) {
      switch (command) {
        case Command.Append append -> executor.execute(() -> send(append));
        case Command.Read read -> executor.execute(() -> read(read));
        case Command.Opened start -> opened.complete(start.end());
        case Command.Durable durable -> nowDurable(durable.lsn());
        case Command.Ended ended -> ended(ended.end());
      }
    }
    if (!commands.isEmpty()) {
      changed.signalAll();
      progress.run();
    }
  }

  private void nowDurable(Lsn lsn) {
    long now = System.nanoTime();
    InFlight head = inFlight.peek();
    while (head != null && !head.end().isAfter(lsn)) {
      metrics.appendToDurable.record(now - head.sinceNanos(), TimeUnit.NANOSECONDS);
      inFlight.remove();
      inFlightBytes -= head.bytes();
      metrics.undurableBytes.addAndGet(-head.bytes());
      head = inFlight.peek();
    }
  }

  private void ended(Command.End why) {
    end = why;
    metrics.undurableBytes.addAndGet(-inFlightBytes);
    inFlight.clear();
    inFlightBytes = 0;
    if (why instanceof Command.Fenced) {
      metrics.fenced.increment();
    }
    log.info("term {} of branch {} ended: {}", writer.term(), branch, why.why());
    opened.completeExceptionally(toException(why));
  }

  private void read(Command.Read range) {
    List<Command> next;
    try {
      topics.read(branch, range.from(), range.to(), this::take, READ_TIMEOUT);
      lock.lock();
      try {
        execute(writer.readEnded());
      } finally {
        lock.unlock();
      }
      return;
    } catch (EbbException.Corrupt | EbbException.NotFound e) {
      // What is neither in the topic nor in the archive does not come by waiting for it.
      next = locked(() -> writer.corrupt(String.valueOf(e.getMessage())));
    } catch (RuntimeException e) {
      log.warn("reading the log of branch {} failed; it is read again", branch, e);
      pause();
      next = locked(writer::readAgain);
    }
    lock.lock();
    try {
      execute(next);
    } finally {
      lock.unlock();
    }
  }

  private boolean take(LogRecord.Stored stored) {
    lock.lock();
    try {
      writer.read(stored);
      return !writer.isEnded();
    } finally {
      lock.unlock();
    }
  }

  private List<Command> locked(java.util.function.Supplier<List<Command>> action) {
    lock.lock();
    try {
      return action.get();
    } finally {
      lock.unlock();
    }
  }

  private static void pause() {
    try {
      Thread.sleep(READ_RETRY);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
