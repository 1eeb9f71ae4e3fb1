package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.postgres.ReplicaFiles;
import dev.ebb.computeservice.sql.AdminConnection;
import dev.ebb.computeservice.sql.ReplicaActivity;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.ReplicaStatus;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running replica: the PostgreSQL instance and the thread that looks after it. It can be killed
 * at any moment: nothing of it is anywhere else, and another one starts from the newest snapshot.
 * That is also what mends it where it cannot go on. Made by {@link ReplicaStarter}, ended by {@link
 * Replicas}.
 */
final class Replica {
  private static final Logger log = LoggerFactory.getLogger(Replica.class);
  private static final long SQL_TIMEOUT_MS = 10_000;
  private static final long LOOK_EVERY_MS = 1_000;
  private static final long HEAD_EVERY_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** Without a stream for so long, another sender is looked for. */
  private static final long SILENT_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** And for so long, it is started anew, where that brings it forward. */
  private static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(20);

  /**
   * And where replay has not moved for so long: above every wait for a query that is in its way
   * ({@code max_standby_streaming_delay}). So it is where a primary came to have more connections
   * than this one has room for, until then (storage rule 31).
   */
  private static final long HALTED_NANOS = TimeUnit.SECONDS.toNanos(90);

  /**
   * What it wrote can only be given back by a new start, and that from a newer snapshot: not more
   * often than once for so many.
   */
  private static final int RENEW_CAPTURES = 5;

  /** Nothing of it is kept: who does not hear in time is killed. */
  private static final Duration KILL_PATIENCE = Duration.ofSeconds(1);

  private static final long CATCH_UP_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final long CATCH_UP_POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  private final PrimaryContext context;
  private final ReplicaStarter starter;
  private final ReplicaId id;
  private final BranchHead head;
  private final Lsn startedFrom;
  private final PostgresInstance instance;
  private final FollowedSnapshot snapshot;
  private final long startMicros;
  private final BranchName name;
  private final ReplicaLag lag = new ReplicaLag();
  private final long readyAtNanos = System.nanoTime();
  private final Caretaker caretaker = new Caretaker();
  private @Nullable AdminConnection admin;
  private PostgresInstances.Kind.Replica kind;
  private long streamedAtNanos = System.nanoTime();
  private long movedAtNanos = System.nanoTime();
  private long headReadAtNanos = System.nanoTime();
  private final Vitals vitals = new Vitals(System.nanoTime());
  private volatile @Nullable ReplicaActivity activity;
  private volatile long residentBytes;
  private volatile ComputeStatus.State state = ComputeStatus.State.RUNNING;

  Replica(
      PrimaryContext context,
      ReplicaStarter starter,
      ReplicaId id,
      BranchHead head,
      Lsn startedFrom,
      PostgresInstance instance,
      FollowedSnapshot snapshot,
      PostgresInstances.Kind.Replica kind,
      long startMicros) {
    this.context = context;
    this.starter = starter;
    this.id = id;
    this.head = head;
    this.startedFrom = startedFrom;
    this.instance = instance;
    this.snapshot = snapshot;
    this.kind = kind;
    this.startMicros = startMicros;
    this.name = new BranchName(head.branch(), context.catalog());
    // It lets nobody in before.
    lag.observe(startedFrom, startedFrom, System.nanoTime());
  }

  int port() {
    return instance.port();
  }

  long startMicros() {
    return startMicros;
  }

  BranchName name() {
    return name;
  }

  String lastLogLine() {
    return instance.lastLogLine();
  }

  /** Calls back, on a thread of its own, when PostgreSQL ends by itself. */
  void onExit(Runnable action) {
    instance.onExit(() -> Thread.ofVirtual().name("exit-replica-" + id).start(action));
  }

  ReplicaActivity.Conflicts conflicts() {
    ReplicaActivity last = activity;
    return last == null ? ReplicaActivity.Conflicts.NONE : last.conflicts();
  }

  // ---------------------------------------------------------------- looking after it

  /**
   * Waits until it has replayed what was durable when it began to stream: a snapshot is up to a
   * minute old, and who has seen more on another replica is not to see less here. Bounded: what is
   * behind is better than nothing.
   *
   * @param unwanted whether it need not wait any more
   */
  void catchUp(BooleanSupplier unwanted) {
    long deadline = System.nanoTime() + CATCH_UP_NANOS;
    // What the primary announced last may be a second old. The sender tells with all that it sends
    // how far the log reached when the stream began; the status says streaming before it has.
    Lsn known = starter.durable(head.branch());
    Lsn target = Lsn.INVALID;
    while (System.nanoTime() - deadline < 0) {
      if (unwanted.getAsBoolean() || Thread.currentThread().isInterrupted()) {
        return;
      }
      if (!instance.isAlive()) {
        throw new EbbException.Unavailable("the replica ended by itself: " + lastLogLine());
      }
      ReplicaActivity now = await(sql().replicaActivity());
      if (!target.isValid() && now.streaming() && now.endLsn().isValid()) {
        target = Lsn.max(known, now.endLsn());
      }
      if (target.isValid() && !now.replayedLsn().isBefore(target)) {
        return;
      }
      LockSupport.parkNanos(CATCH_UP_POLL_NANOS);
    }
    log.warn("replica {} of branch {} is behind and serves all the same", id, head.branch());
  }

  void lookAfter() {
    caretaker.start("replica-" + id, this::takeCare);
  }

  private void takeCare() {
    do {
      try {
        look();
      } catch (RuntimeException e) {
        if (instance.isAlive()) {
          log.warn("replica {} of branch {}: {}", id, head.branch(), e.getMessage());
        }
      }
    } while (caretaker.pause(LOOK_EVERY_MS));
  }

  private void look() {
    // First what is known to be durable, then what is replayed: else it would seem behind by what
    // came in between.
    Lsn known = starter.durable(head.branch());
    ReplicaActivity now;
    long nanos;
    try {
      now = await(sql().replicaActivity());
      nanos = System.nanoTime();
      vitals.answered(nanos);
      if (vitals.isToBeMet(nanos)) {
        meet();
      }
      vitals.well();
    } catch (RuntimeException e) {
      if (instance.isAlive()) {
        endIfItHangs();
      }
      throw e;
    }
    // From here on others are asked, whose silence says nothing of the replica.
    activity = now;
    if (now.replayedLsn().isAfter(lag.replayed())) {
      movedAtNanos = nanos;
    }
    lag.observe(now.replayedLsn(), Lsn.max(known, now.endLsn()), nanos);
    snapshot.replayed(now.replayedLsn());
    residentBytes = instance.residentBytes();
    name.resolve();
    if (now.streaming()) {
      streamedAtNanos = nanos;
    }
    if (nanos - headReadAtNanos >= HEAD_EVERY_NANOS) {
      headReadAtNanos = nanos;
      lookAtHead(now.replayedLsn(), nanos);
    }
    if (nanos - streamedAtNanos >= SILENT_NANOS) {
      redirect();
    }
  }

  /** Sessions live on where the postmaster hangs: only a new one needs it. */
  private void meet() {
    await(instance.connect(context.vertx())).close();
    vitals.met(System.nanoTime());
  }

  private void lookAtHead(Lsn replayed, long nanos) {
    BranchHead present = snapshot.follow();
    if (present == null) {
      stopBecause("the branch was dropped");
      return;
    }
    if (present.closed()) {
      lag.observe(replayed, present.closedLsn(), nanos);
    }
    boolean behind = snapshot.newestEnd().isAfter(replayed);
    if (behind && nanos - streamedAtNanos >= STUCK_NANOS) {
      stopBecause("it gets no WAL, and the newest snapshot is ahead of it");
    } else if (behind && nanos - movedAtNanos >= HALTED_NANOS) {
      stopBecause("its replay has halted, and the newest snapshot is ahead of it");
    } else if (instance.share().takeCaptureAsked()
        && instance.share().isFullOfChanges()
        && nanos - readyAtNanos >= renewNanos()
        && snapshot.newestEnd().isAfter(startedFrom)) {
      stopBecause("what it changed takes too much of the local cache");
    }
  }

  private long renewNanos() {
    return TimeUnit.MILLISECONDS.toNanos(RENEW_CAPTURES * context.config().captureIntervalMs());
  }

  /** Sessions that are sent to it would wait for nothing. */
  private void endIfItHangs() {
    if (vitals.failed(System.nanoTime())) {
      stopBecause("it does not answer");
    }
  }

  /** Another one is started instead, where it is wanted still. */
  private void stopBecause(String reason) {
    log.warn("replica {} of branch {}: {}; stopping", id, head.branch(), reason);
    instance.kill(KILL_PATIENCE);
  }

  /** The WAL service may be another one by now, or be elsewhere. */
  private void redirect() {
    ReplicaFiles.Source now = starter.source(head.branch());
    if (!now.equals(kind.source())) {
      var changed = new PostgresInstances.Kind.Replica(now, kind.from(), kind.name());
      context.instances().redirect(instance, changed);
      await(sql().reload());
      log.info(
          "replica {} of branch {}: WAL comes from {}:{}",
          id,
          head.branch(),
          now.host(),
          now.port());
      kind = changed;
    }
  }

  /** By the caretaker's thread only. */
  private AdminConnection sql() {
    AdminConnection open = admin;
    if (open == null || !open.isOpen()) {
      open = await(instance.connect(context.vertx()));
      admin = open;
    }
    return open;
  }

  private static <T> T await(io.vertx.core.Future<T> future) {
    return BlockingBus.await(future, SQL_TIMEOUT_MS);
  }

  // ---------------------------------------------------------------- ending

  /**
   * Ends it and deletes its directory. Sessions are told; where that takes too long, they are cut
   * off.
   */
  void end(long timeoutMs) {
    state = ComputeStatus.State.SUSPENDING;
    try {
      if (instance.isAlive() && !instance.stopFast(timeoutMs)) {
        log.warn("replica {} of branch {} did not stop in time: killing it", id, head.branch());
      }
    } finally {
      destroy();
    }
  }

  /** Ends whatever still runs and deletes the directory. */
  void destroy() {
    state = ComputeStatus.State.FAILED;
    instance.kill(KILL_PATIENCE);
    caretaker.end();
    AdminConnection open = admin;
    if (open != null) {
      open.close();
    }
    instance.delete();
  }

  ReplicaStatus status() {
    ReplicaActivity last = activity;
    BranchAddress called = name.known();
    return new ReplicaStatus(
        id,
        head.branch(),
        head.database(),
        called == null ? "" : called.database(),
        called == null ? "" : called.branch(),
        state == ComputeStatus.State.RUNNING && !instance.isAlive()
            ? ComputeStatus.State.FAILED
            : state,
        instance.port(),
        instance.pid(),
        TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - readyAtNanos),
        last == null ? 0 : last.connections(),
        last == null ? 0 : last.activeStatements(),
        last == null ? 0 : last.openTransactions(),
        residentBytes,
        instance.hydratedBytes(),
        lag.replayed(),
        lag.durable(),
        lag.lagMs(),
        conflicts().all());
  }
}
