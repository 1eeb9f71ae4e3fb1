package dev.ebb.walservice;

import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.bus.WalMessage.DurableLsn;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.Command;
import dev.ebb.walservice.receive.Backoff;
import dev.ebb.walservice.receive.Primary;
import dev.ebb.walservice.receive.Receiver;
import dev.ebb.walservice.receive.Sighting;
import dev.ebb.walservice.receive.StreamStart;
import dev.ebb.walservice.session.LogSession;
import dev.ebb.walservice.session.WalMetrics;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The log of one generation of a branch that this instance writes. Thread-safe. */
final class BranchLog implements Receiver.Log {
  private static final Logger log = LoggerFactory.getLogger(BranchLog.class);
  private static final long FIRST_REOPEN_PAUSE_MS = 100;
  private static final long MAX_REOPEN_PAUSE_MS = 5_000;
  private static final Duration LOOK_AGAIN = Duration.ofMillis(50);

  /** Opens a further session of the same generation, behind one that cannot go on. */
  interface Reopening {
    LogSession reopen(LogSession uncertain);
  }

  /** What is heard of this generation's primary, and of the branch's standbys. */
  interface Hearsay {
    Sighting of(BranchId branch, Generation generation);

    /** See {@link Receiver.Log#oldestTransaction}. */
    default long oldestTransaction(BranchId asked) {
      return 0;
    }
  }

  /**
   * How a generation began: what a repeated request to open it must agree with, and is answered.
   *
   * @param request null where it was taken over while its primary ran
   * @param start the position that was answered
   * @param topic the identity of the topic that it was opened on
   */
  record Beginning(WalMessage.@Nullable OpenLog request, Lsn start, String topic) {

    /** What tells how to read the log may differ: a repetition does not read it. */
    boolean agreesWith(WalMessage.OpenLog again) {
      return request == null
          || (request.redoLsn().equals(again.redoLsn())
              && request.floorLsn().equals(again.floorLsn())
              && request.walSegmentBytes() == again.walSegmentBytes());
    }
  }

  private final BranchId branch;
  private final Generation generation;
  private final Beginning beginning;
  private final Receiver.Connector connector;
  private final WalMetrics metrics;
  private final Reopening reopening;
  private final Hearsay hearsay;
  private final Backoff reopenPauses = new Backoff(FIRST_REOPEN_PAUSE_MS, MAX_REOPEN_PAUSE_MS);
  private boolean reopenFails;
  private volatile LogSession session;
  private volatile StreamStart streamStart;
  private volatile boolean stopped;
  private volatile long overNanos;
  private volatile @Nullable EbbException failure;
  private @Nullable Receiver receiver;

  BranchLog(
      BranchId branch,
      Generation generation,
      Beginning beginning,
      LogSession opened,
      StreamStart streamStart,
      Receiver.Connector connector,
      WalMetrics metrics,
      Reopening reopening,
      Hearsay hearsay) {
    this.branch = branch;
    this.generation = generation;
    this.beginning = beginning;
    this.connector = connector;
    this.session = opened;
    this.streamStart = streamStart;
    this.metrics = metrics;
    this.reopening = reopening;
    this.hearsay = hearsay;
  }

  Generation generation() {
    return generation;
  }

  /**
   * Answers a repeated request to open this generation without touching what it has: the bus
   * delivers late, and callers ask again.
   *
   * @return where it started; null where nothing here goes on, so that it may be opened anew
   */
  synchronized @Nullable Lsn openAgain(WalMessage.OpenLog again) {
    if (stopped) {
      throw new EbbException.Conflict("generation " + generation + " of " + branch + " has ended");
    }
    EbbException failed = failure;
    if (failed instanceof EbbException.Unavailable) {
      return null;
    }
    if (failed != null) {
      throw failed;
    }
    Lsn start =
        switch (session.end()) {
          case null -> beginning.start();
          // The receiver opens it again by itself.
          case Command.Uncertain uncertain -> receiver == null ? null : beginning.start();
          case Command.Displaced displaced -> null;
          case Command.Fenced fenced -> throw LogSession.toException(fenced);
          case Command.Corrupted corrupted -> throw LogSession.toException(corrupted);
        };
    // Only what goes on is bound to how it began: a primary whose log was lost asks for it from the
    // newest snapshot that it has by then.
    if (start != null && !beginning.agreesWith(again)) {
      throw new EbbException.Conflict(
          "generation " + generation + " of " + branch + " was opened for another snapshot");
    }
    return start;
  }

  /** Starts the receiver; does nothing where it runs for the same primary. */
  synchronized void startReceiver(Primary primary) {
    if (stopped) {
      throw new EbbException.Conflict(
          "the receiver of generation " + generation + " of " + branch + " was stopped");
    }
    EbbException failed = failure;
    if (failed != null) {
      throw failed;
    }
    Receiver present = receiver;
    if (present != null) {
      if (!present.primary().equals(primary)) {
        throw new EbbException.Conflict(
            "generation " + generation + " of " + branch + " is received from another primary");
      }
      return;
    }
    var starting = new Receiver(branch.toString(), primary, this, connector, metrics, this::ended);
    receiver = starting;
    starting.start();
  }

  /** The receiver ended by itself. */
  private void ended(EbbException why) {
    overNanos = System.nanoTime();
    failure = why;
  }

  /** Waits for what was received to be durable, but no longer than told, and stops. */
  DurableLsn stop(Duration timeout) throws InterruptedException {
    session.awaitDurable(session.appendEnd(), timeout);
    Receiver running;
    synchronized (this) {
      stopped = true;
      overNanos = System.nanoTime();
      running = receiver;
      receiver = null;
    }
    if (running != null) {
      running.stop();
    }
    return durable();
  }

  /** See {@link Beginning}. */
  String topic() {
    return beginning.topic();
  }

  DurableLsn durable() {
    LogSession present = session;
    return new DurableLsn(present.durable(), present.provenOffset());
  }

  /** The session where this instance writes the log, as far as it knows; null where it does not. */
  @Nullable LogSession written() {
    LogSession present = session;
    return stopped || failure != null || present.end() != null ? null : present;
  }

  /** Whether it is over for so long that nobody will ask for it any more. */
  boolean isForgettable(Duration after) {
    return (stopped || failure != null) && System.nanoTime() - overNanos > after.toNanos();
  }

  /**
   * Waits until the log is durable up to {@code lsn}. Where the generation is over it says so even
   * if that is long durable: a primary that only asks how far it got must learn that it has to
   * stop.
   */
  DurableLsn awaitDurable(Lsn lsn, Duration timeout) throws InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (true) {
      LogSession present = session;
      refuseWhereOver(present);
      Duration left = Duration.ofNanos(Math.max(0, deadline - System.nanoTime()));
      if (present.awaitDurable(lsn, left)) {
        return durable();
      }
      refuseWhereOver(present);
      if (System.nanoTime() - deadline >= 0) {
        throw new EbbException.Unavailable(
            "branch " + branch + " is durable up to " + present.durable() + ", not yet " + lsn);
      }
      Thread.sleep(LOOK_AGAIN);
    }
  }

  private void refuseWhereOver(LogSession present) {
    EbbException failed = failure;
    if (failed != null) {
      throw failed;
    }
    Command.End end = present.end();
    if (end != null && !(end instanceof Command.Uncertain)) {
      throw LogSession.toException(end);
    }
  }

  @Override
  public LogSession session() {
    return session;
  }

  @Override
  public void reopen(LogSession uncertain) throws InterruptedException {
    if (session != uncertain) {
      return;
    }
    if (sighting() == Sighting.REPLACED) {
      throw new EbbException.Fenced(
          "generation " + generation + " of " + branch + " is over: a later one runs");
    }
    try {
      LogSession next = reopening.reopen(uncertain);
      Lsn before = uncertain.durable();
      Lsn now = next.durable();
      if (now.isBefore(before)) {
        // Kafka broke its promise. The primary may still have the bytes: go on from there.
        log.error(
            "the log of branch {} ends at {}, but was acknowledged up to {}: Kafka lost records",
            branch,
            now,
            before);
      }
      // What was appended last lies before the new end only where all of it got there.
      StreamStart last = streamStart;
      streamStart = last.end().equals(now) ? last : StreamStart.at(now);
      session = next;
      metrics.sessionReopened();
      reopenPauses.reset();
      if (reopenFails) {
        reopenFails = false;
        log.info("the log of branch {} is open again, durable up to {}", branch, now);
      }
    } catch (EbbException.Unavailable e) {
      if (reopenFails) {
        log.debug("the log of branch {} still cannot be opened again", branch, e);
      } else {
        reopenFails = true;
        log.warn(
            "the log of branch {} cannot be opened again yet, trying on: {}",
            branch,
            e.getMessage());
      }
      Thread.sleep(reopenPauses.nextMs());
    }
  }

  @Override
  public Sighting sighting() {
    return hearsay.of(branch, generation);
  }

  @Override
  public long oldestTransaction() {
    return hearsay.oldestTransaction(branch);
  }

  @Override
  public StreamStart streamStart() {
    return streamStart;
  }

  @Override
  public void appended(Lsn lsn, byte[] bytes) {
    streamStart = StreamStart.behind(lsn, bytes);
  }
}
