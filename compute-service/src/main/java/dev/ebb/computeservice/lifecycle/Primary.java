package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.capture.Capturer;
import dev.ebb.computeservice.capture.Logins;
import dev.ebb.computeservice.sql.Activity;
import dev.ebb.computeservice.sql.AdminConnection;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.Damage;
import dev.ebb.shared.bus.ComputeMessage.LoginFound;
import dev.ebb.shared.bus.ComputeMessage.WakeParts;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.ScramVerifier;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running primary: the PostgreSQL instance, its tie to the WAL service, and the thread that looks
 * after both. Made by {@link PrimaryStarter}; suspended or destroyed by its {@link Host}, under the
 * slot's lock.
 */
public final class Primary {
  private static final Logger log = LoggerFactory.getLogger(Primary.class);
  private static final long SQL_TIMEOUT_MS = 10_000;
  private static final long LOOK_EVERY_MS = 1_000;

  /** Commits wait from the death of the WAL service that receives until it is noticed here. */
  private static final long POLL_EVERY_MS = 250;

  /** Where the log is lost, commits wait until it is open again. */
  private static final long REOPEN_EVERY_MS = 50;

  private static final int MAX_DOUBLINGS = 5;
  private static final long RECEIVER_POLL_MS = 5;
  private static final long RECEIVER_BOUND_MS = 10_000;

  /**
   * Looking at the activity takes processor time and pages of the catalog; the queries that the
   * compute was woken for come first.
   */
  private static final long FIRST_LOOK_AFTER_NANOS = TimeUnit.SECONDS.toNanos(2);

  /**
   * Nothing tells a primary that writes nothing of its successor. One small read of the object
   * store bounds for how long it may answer with what is no longer true (rule 12).
   */
  private static final long HEAD_EVERY_NANOS = TimeUnit.SECONDS.toNanos(5);

  private static final long SLOW_CAPTURE_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final PrimaryContext context;

  private final BranchHead head;
  private final PostgresInstance instance;
  private final WalAttachment wal;

  /** Waits until the log is open for this generation; throws what kept it from being opened. */
  private final Supplier<Lsn> logOpened;

  /** Opens it where that failed. */
  private final Supplier<Lsn> openLogAgain;

  private final Capturer capturer;
  private final WakeParts parts;
  private final long readyAtNanos = System.nanoTime();

  private final ReentrantLock lock = new ReentrantLock();
  private volatile boolean attached;

  private volatile ComputeStatus.State state = ComputeStatus.State.RUNNING;
  private volatile @Nullable AdminConnection admin;
  private volatile @Nullable AdminConnection captureAdmin;
  private volatile @Nullable Activity activity;
  private final UseGate gate = new UseGate(System::nanoTime);
  private long headReadAtNanos = System.nanoTime();

  /** Of the caretaker's thread. */
  private int failedPolls;

  private long lookedAtNanos = System.nanoTime();
  private volatile long residentBytes;
  private final BranchName name;
  private final Caretaker caretaker = new Caretaker();

  /** Changes under the lock. */
  private volatile @Nullable Thread capture;

  /** Both by {@link System#nanoTime}, under the lock. */
  private long captureBeganNanos;

  private long captureWarnedNanos;

  /** Under the lock: an idle suspend waits for the last capture. */
  private boolean capturesHeld;

  Primary(
      PrimaryContext context,
      BranchHead head,
      PostgresInstance instance,
      WalAttachment wal,
      Supplier<Lsn> logOpened,
      Supplier<Lsn> openLogAgain,
      Capturer capturer,
      WakeParts parts) {
    this.context = context;
    this.head = head;
    this.name = new BranchName(head.branch(), context.catalog());
    this.instance = instance;
    this.wal = wal;
    this.logOpened = logOpened;
    this.openLogAgain = openLogAgain;
    this.capturer = capturer;
    this.parts = parts;
  }

  public Generation generation() {
    return head.generation();
  }

  boolean isRunning() {
    return state == ComputeStatus.State.RUNNING && instance.isAlive();
  }

  String lastLogLine() {
    return instance.lastLogLine();
  }

  ComputeReady ready(HostId host, boolean started) {
    return new ComputeReady(
        head.branch(),
        head.generation(),
        host,
        context.config().address(),
        instance.port(),
        started,
        parts);
  }

  /** Calls back, on a thread of its own, when PostgreSQL ends by itself. */
  void onExit(Runnable action) {
    instance.onExit(() -> Thread.ofVirtual().name("exit-" + head.branch()).start(action));
  }

  // ---------------------------------------------------------------- first start

  /**
   * Hands the template's database to its owner. Sets the password of Ebb's own role first, without
   * waiting for the WAL service, which cannot connect before.
   *
   * @return a durable position behind all of that
   */
  public Lsn hand(String owner, Secret verifier, String database) {
    AdminConnection sql = sql();
    Secret password = context.passwords().of(head.database());
    await(sql.setAdminPassword(ScramVerifier.of(password).stored()));
    attach();
    await(sql.createOwner(owner, verifier, database));
    Lsn behind = await(sql.flushLsn());
    wal.awaitDurable(behind, SQL_TIMEOUT_MS);
    return behind;
  }

  /** Starts the WAL receiver; until it runs, commits wait. */
  void attach() {
    openLog();
    wal.attach(instance.target(context.passwords().of(head.database())), instance.startLsn());
    attached = true;
  }

  /** A primary without a log would let its clients wait for ever. */
  private void attachOrEnd() {
    try {
      attach();
    } catch (EbbException.Corrupt e) {
      log.error("branch {}: {}; stopping", head.branch(), e.getMessage());
      instance.kill();
    }
  }

  /** Where opening the log failed at the start, it is tried again here: commits wait for it. */
  private void openLog() {
    Lsn end;
    try {
      end = logOpened.get();
    } catch (EbbException.Unavailable e) {
      end = openLogAgain.get();
    }
    if (!end.equals(instance.startLsn())) {
      throw new EbbException.Fenced(
          "the log ends at " + end + ", but this primary started at " + instance.startLsn());
    }
  }

  /** Starts what looks after the running primary; the WAL receiver first of all. */
  void lookAfter() {
    caretaker.start("primary-" + head.branch(), this::takeCare);
  }

  private void takeCare() {
    while (caretaker.pause(attached ? pollPauseMs() : 0)) {
      try {
        if (attached) {
          boolean goesOn = poll();
          if (goesOn
              && System.nanoTime() - lookedAtNanos
                  >= TimeUnit.MILLISECONDS.toNanos(LOOK_EVERY_MS)) {
            look();
            lookedAtNanos = System.nanoTime();
          }
        } else {
          // The look opens a session, whose catalog is another database's: a period later it is
          // not in the way of the client that this start is for.
          attachOrEnd();
          name.resolve();
        }
      } catch (EbbException.Fenced e) {
        log.warn("branch {}: {}; stopping", head.branch(), e.getMessage());
        instance.kill();
        return;
      } catch (EbbException.NotFound e) {
        // Dropped, and about to be ended by whoever does that.
        log.info("branch {}: {}", head.branch(), e.getMessage());
        caretaker.pause(LOOK_EVERY_MS);
      } catch (RuntimeException e) {
        log.warn("branch {}: {}", head.branch(), e.getMessage());
        caretaker.pause(LOOK_EVERY_MS);
      }
    }
  }

  /**
   * Ends the parent's prepared transactions here: whoever prepared them is going to decide about
   * the parent's (storage rule 33). Comes before anybody is told of the compute: what is prepared
   * later is the branch's own. Where it does not come to its end, the next start begins it again.
   */
  void disinherit() {
    if (instance.hasPreparedTransactions()) {
      attach();
      for (AdminConnection.PreparedTransaction transaction : await(sql().preparedTransactions())) {
        log.warn(
            "branch {}: the prepared transaction {} of its parent is rolled back here",
            head.branch(),
            dev.ebb.shared.model.Names.printable(transaction.gid()));
        await(instance.rollBack(context.vertx(), transaction));
      }
      awaitFlushedDurable(SQL_TIMEOUT_MS);
    }
    context.heads().markDisinherited(head.branch(), head.generation());
  }

  private long pollPauseMs() {
    return failedPolls == 0
        ? POLL_EVERY_MS
        : Math.min(REOPEN_EVERY_MS << Math.min(failedPolls - 1, MAX_DOUBLINGS), LOOK_EVERY_MS);
  }

  /**
   * Asks for the log, and has it opened again where it is lost.
   *
   * @return false where this primary has been ended
   */
  private boolean poll() {
    try {
      wal.poll();
      failedPolls = 0;
    } catch (EbbException.Unavailable e) {
      // Commits wait meanwhile; what goes on here is still worth knowing.
      if (failedPolls++ == 0) {
        log.warn("branch {}: {}; trying on", head.branch(), e.getMessage());
      }
    } catch (EbbException.Corrupt e) {
      // Rule 4: its WAL is not the log's, so that none of its commits will ever be durable.
      log.error("branch {}: {}; stopping", head.branch(), e.getMessage());
      instance.kill();
      return false;
    }
    return true;
  }

  private void look() {
    name.resolve();
    residentBytes = instance.residentBytes();
    refuseSuccessor();
    if (System.nanoTime() - readyAtNanos < FIRST_LOOK_AFTER_NANOS) {
      return;
    }
    Activity now = lookAtActivity();
    gate.observe(now);
    boolean wanted = capturer.isDue(now.flushLsn()) || instance.share().takeCaptureAsked();
    if (wanted && !capturer.pauses()) {
      startCapture();
    }
  }

  private void startCapture() {
    lock.lock();
    try {
      Thread present = capture;
      if (present != null && present.isAlive()) {
        warnOfSlowCapture();
      } else if (!capturesHeld) {
        captureBeganNanos = System.nanoTime();
        captureWarnedNanos = captureBeganNanos;
        capture = Thread.ofVirtual().name("capture-" + head.branch()).start(this::capture);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Nothing else would tell that snapshots have stopped, and recovery grows with the WAL. */
  private void warnOfSlowCapture() {
    long now = System.nanoTime();
    if (now - captureWarnedNanos >= SLOW_CAPTURE_NANOS) {
      captureWarnedNanos = now;
      log.warn(
          "branch {}: its capture has taken {} s and {}",
          head.branch(),
          TimeUnit.NANOSECONDS.toSeconds(now - captureBeganNanos),
          capturer.progress());
    }
  }

  /** Captures it now, or waits for the capture that is under way. */
  void captureNow() {
    startCapture();
    Caretaker.join(capture);
  }

  private void holdCaptures(boolean held) {
    lock.lock();
    try {
      capturesHeld = held;
    } finally {
      lock.unlock();
    }
  }

  /**
   * On a thread and a connection of its own: it waits for blocks to settle and for commits, and
   * meanwhile the caretaker must hear of a fence.
   */
  private void capture() {
    try {
      AdminConnection open = captureAdmin;
      if (open == null || !open.isOpen()) {
        open = connect();
        captureAdmin = open;
      }
      capturer.captureRunning(open, wal).ifPresent(wal::snapshotCommitted);
    } catch (EbbException.Fenced e) {
      log.warn("branch {}: {}; stopping", head.branch(), e.getMessage());
      instance.kill();
    } catch (RuntimeException e) {
      log.warn("branch {}: {}", head.branch(), e.getMessage());
    }
  }

  private void refuseSuccessor() {
    if (System.nanoTime() - headReadAtNanos < HEAD_EVERY_NANOS) {
      return;
    }
    headReadAtNanos = System.nanoTime();
    BranchHead present =
        context.heads().read(head.branch()).map(BranchHeads.Versioned::head).orElse(head);
    if (present.dropped()) {
      throw new EbbException.Fenced("the branch was dropped");
    }
    if (present.generation().compareTo(head.generation()) > 0) {
      throw new EbbException.Fenced(
          "generation " + present.generation() + " took over from " + head.generation());
    }
    if (name.isTaken()) {
      // Who gave the name to another branch ends us, too; should that one have died, we notice.
      throw new EbbException.Fenced(name.known() + " means another branch by now");
    }
  }

  private Activity lookAtActivity() {
    Activity now = await(sql().activity());
    activity = now;
    return now;
  }

  /**
   * Somebody who woke it is about to use it.
   *
   * @return false where an idle suspend may have it: the slot's lock is to be waited for
   */
  boolean use() {
    return gate.use();
  }

  /**
   * Makes way for an idle suspend, unless something uses it or comes to use it in the meantime. A
   * running capture is waited for first, during which it is used as ever.
   *
   * @return whether {@link #suspend} may follow; otherwise it goes on as if nothing had been asked
   */
  boolean yieldIfIdle(long onlyIfIdleMs) {
    holdCaptures(true);
    boolean yields = false;
    try {
      yields = gate.closeIfIdle(onlyIfIdleMs, () -> Caretaker.join(capture), this::lookAtActivity);
    } finally {
      holdCaptures(yields);
    }
    return yields;
  }

  /** The damaged pages that it met, the latest first. */
  List<Damage> damages() {
    return instance.hydrator().damages().latest();
  }

  long misses() {
    return instance.hydrator().misses();
  }

  long prewarmedBytes() {
    return instance.hydrator().prewarmedBytes();
  }

  /** For how long nothing has used it. */
  long idleMs() {
    return gate.idleMs();
  }

  /** What a login needs to know, as it is now. */
  LoginFound login(String role, String database) {
    return await(sql().login(role, database));
  }

  private AdminConnection sql() {
    AdminConnection open = admin;
    if (open != null && open.isOpen()) {
      return open;
    }
    lock.lock();
    try {
      open = admin;
      if (open == null || !open.isOpen()) {
        open = connect();
        admin = open;
      }
      return open;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Never to the users' database: what its owner sets for it ({@code ALTER DATABASE … SET role})
   * would hold for Ebb's own session, and nobody could copy or rename it.
   */
  private AdminConnection connect() {
    return await(instance.connect(context.vertx()));
  }

  /** What the branch is called. */
  BranchName name() {
    return name;
  }

  private static <T> T await(io.vertx.core.Future<T> future) {
    return BlockingBus.await(future, SQL_TIMEOUT_MS);
  }

  /** Waits until everything that is flushed locally by now is durable. */
  void awaitFlushedDurable(long timeoutMs) {
    Lsn flushed = await(sql().flushLsn());
    wal.awaitDurable(flushed, timeoutMs);
  }

  // ---------------------------------------------------------------- ending

  /**
   * Stops PostgreSQL cleanly and captures it; returns where the log ends. Where it cannot be
   * stopped cleanly, or the log is not durable up to its end, nothing is committed and the branch's
   * next start recovers from the log.
   */
  Lsn suspend() {
    state = ComputeStatus.State.SUSPENDING;
    caretaker.end();
    Caretaker.join(capture);
    awaitReceiver();
    Logins logins = quiesce();
    if (!instance.stopFast(context.config().stopTimeoutMs())) {
      throw new EbbException.Unavailable(
          "branch "
              + head.branch()
              + " did not stop within "
              + context.config().stopTimeoutMs()
              + " ms (is the WAL service away?); it will recover at its next start");
    }
    return capturer.captureStopped(logins, wal.detach(context.config().stopTimeoutMs()));
  }

  /**
   * Ends every session and then reads the roles, so that what a session changed last is in them.
   * Where sessions do not end, nobody knows what the roles are going to be: the suspend fails, and
   * the branch recovers at its next start.
   */
  private Logins quiesce() {
    AdminConnection sql = sql();
    instance.endSessions(sql, Duration.ofMillis(context.config().stopTimeoutMs()));
    return new Logins(await(sql.roles()), await(sql.restricted()));
  }

  /**
   * Behind a short life the receiver may not be there yet; once sessions are being ended it is not
   * let in any more, and the log would miss the end of the WAL. Bounded: where it does not come,
   * the log says so when it is asked.
   */
  private void awaitReceiver() {
    long boundMs = Math.min(RECEIVER_BOUND_MS, context.config().stopTimeoutMs());
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(boundMs);
    while (!isReceived()
        && instance.isAlive()
        && !Thread.currentThread().isInterrupted()
        && System.nanoTime() < deadline) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(RECEIVER_POLL_MS));
    }
  }

  private boolean isReceived() {
    try {
      if (!attached) {
        attach();
      }
      return await(sql().isReceived());
    } catch (EbbException.Unavailable e) {
      log.debug("branch {}: not received yet: {}", head.branch(), e.getMessage());
      return false;
    }
  }

  /** Ends whatever still runs and deletes the directory. */
  void destroy() {
    state = ComputeStatus.State.FAILED;
    instance.kill();
    caretaker.end();
    Thread capturing = capture;
    if (capturing != null) {
      // What it waits for will not come, and the next start waits for us.
      capturing.interrupt();
    }
    Caretaker.join(capturing);
    closeIfOpen(admin);
    closeIfOpen(captureAdmin);
    try {
      wal.detach(1);
    } catch (EbbException e) {
      log.debug("branch {}: the receiver of a dead primary: {}", head.branch(), e.getMessage());
    }
    instance.delete();
  }

  private static void closeIfOpen(@Nullable AdminConnection connection) {
    if (connection != null) {
      connection.close();
    }
  }

  ComputeStatus status() {
    Activity last = activity;
    Activity now = last == null ? new Activity(0, 0, 0, 0, 0, 0, 0, instance.startLsn()) : last;
    BranchAddress called = name.known();
    return new ComputeStatus(
        head.branch(),
        head.database(),
        called == null ? "" : called.database(),
        called == null ? "" : called.branch(),
        head.generation(),
        state,
        instance.port(),
        instance.pid(),
        TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - readyAtNanos),
        idleMs(),
        now.connections(),
        now.activeStatements(),
        now.openTransactions(),
        now.replicationConnections(),
        now.commits(),
        residentBytes,
        instance.hydratedBytes(),
        instance.bootBytes(),
        now.flushLsn(),
        wal.lastKnownDurable());
  }
}
