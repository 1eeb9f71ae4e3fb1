package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.sql.ReplicaActivity;
import dev.ebb.shared.bus.ComputeMessage.ReplicaReady;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.ReplicaStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The replicas of this host. Which there are to be is not its business: see {@code
 * computeservice.replicas}. Every call blocks.
 */
public final class Replicas {
  private static final Logger log = LoggerFactory.getLogger(Replicas.class);

  /** A replica has nothing to save, and somebody waits for its end: not long for what hangs. */
  private static final long END_TIMEOUT_MS = 2_000;

  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  private final Host host;
  private final ReplicaStarter starter;
  private final long stopTimeoutMs;
  private final Runnable changed;
  private final ConcurrentHashMap<ReplicaId, Place> places = new ConcurrentHashMap<>();
  private final AtomicReference<ReplicaActivity.Conflicts> pastConflicts =
      new AtomicReference<>(ReplicaActivity.Conflicts.NONE);
  private final AtomicLong crashes = new AtomicLong();

  /** One that starts or runs. */
  private static final class Place {
    final BranchHead head;
    volatile @Nullable Replica replica;

    /** Changes under its lock: it is to end, perhaps before it has started. */
    volatile boolean ending;

    Place(BranchHead head) {
      this.head = head;
    }
  }

  /**
   * None yet.
   *
   * @param host whose room they take
   * @param changed called after every change of what runs here
   */
  public Replicas(Host host, ReplicaStarter starter, long stopTimeoutMs, Runnable changed) {
    this.host = host;
    this.starter = starter;
    this.stopTimeoutMs = stopTimeoutMs;
    this.changed = changed;
  }

  /** Starts one; answers when it serves: it accepts connections and has caught up. */
  public ReplicaReady start(BranchId branch) {
    var id = ReplicaId.random();
    BranchHead head = starter.head(branch);
    host.enter();
    var place = new Place(head);
    places.put(id, place);
    Replica replica;
    try {
      changed.run();
      replica = starter.start(id, head);
    } catch (Throwable e) {
      left(id, place);
      throw e;
    }
    try {
      // A child that was never started has no log.
      if (head.logMade()) {
        replica.catchUp(() -> place.ending || host.leaving());
      }
    } catch (Throwable e) {
      replica.destroy();
      left(id, place);
      throw e;
    }
    boolean unwanted;
    synchronized (place) {
      unwanted = place.ending || host.leaving();
      // Ended by this thread then, and by nobody else.
      place.ending = unwanted;
      place.replica = replica;
    }
    if (unwanted) {
      replica.destroy();
      left(id, place);
      throw new EbbException.Conflict("the replica was ended while it started");
    }
    replica.lookAfter();
    replica.onExit(() -> crashed(id, place));
    changed.run();
    return new ReplicaReady(branch, id, host.id(), replica.port(), replica.startMicros());
  }

  private void left(ReplicaId id, Place place) {
    if (places.remove(id, place)) {
      host.leave();
      changed.run();
    }
  }

  private void crashed(ReplicaId id, Place place) {
    Replica replica = take(place);
    if (replica != null) {
      crashes.incrementAndGet();
      log.warn(
          "branch {}: replica {} ended by itself: {}",
          place.head.branch(),
          id,
          replica.lastLogLine());
      end(id, place, replica, Replica::destroy);
    }
  }

  /** The one who gets it ends it; null for everybody else, and where it still starts. */
  private static @Nullable Replica take(Place place) {
    synchronized (place) {
      Replica replica = place.ending ? null : place.replica;
      place.ending = true;
      return replica;
    }
  }

  private void end(
      ReplicaId id, Place place, Replica replica, java.util.function.Consumer<Replica> how) {
    try {
      how.accept(replica);
    } finally {
      pastConflicts.accumulateAndGet(replica.conflicts(), ReplicaActivity.Conflicts::plus);
      left(id, place);
    }
  }

  /** Ends one; returns when it is gone. Nothing where there is none. */
  public void stop(ReplicaId id) {
    Place place = places.get(id);
    Replica replica = place == null ? null : take(place);
    if (place != null && replica != null) {
      changed.run();
      end(id, place, replica, running -> running.end(Math.min(END_TIMEOUT_MS, stopTimeoutMs)));
    }
  }

  /** Ends those of a branch that is gone, or that nobody is to read any more. */
  public void discard(BranchId branch) {
    each(place -> place.head.branch().equals(branch));
  }

  private void each(java.util.function.Predicate<Place> which) {
    try (var tasks = Executors.newVirtualThreadPerTaskExecutor()) {
      places.forEach((id, place) -> {
        if (which.test(place)) {
          tasks.execute(() -> {
            try {
              stop(id);
            } catch (RuntimeException e) {
              log.warn("replica {} did not end cleanly: {}", id, e.getMessage());
            }
          });
        }
      });
    }
  }

  /** The branch was renamed. */
  public void refreshName(BranchId branch) {
    for (Place place : places.values()) {
      Replica replica = place.replica;
      if (replica != null && place.head.branch().equals(branch)) {
        replica.name().refresh();
      }
    }
    changed.run();
  }

  /** What runs here, or is about to. */
  public List<ReplicaStatus> statuses() {
    var statuses = new ArrayList<ReplicaStatus>();
    places.forEach((id, place) -> {
      Replica replica = place.replica;
      statuses.add(replica == null ? starting(id, place.head) : replica.status());
    });
    return List.copyOf(statuses);
  }

  private static ReplicaStatus starting(ReplicaId id, BranchHead head) {
    return new ReplicaStatus(
        id,
        head.branch(),
        head.database(),
        "",
        "",
        ComputeStatus.State.STARTING,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        Lsn.INVALID,
        Lsn.INVALID,
        0,
        0);
  }

  /** Queries that were cancelled for replay's sake on this host. */
  public ReplicaActivity.Conflicts conflicts() {
    return places.values().stream()
        .map(place -> place.replica)
        .filter(replica -> replica != null)
        .map(replica -> java.util.Objects.requireNonNull(replica).conflicts())
        .reduce(pastConflicts.get(), ReplicaActivity.Conflicts::plus);
  }

  /** How many ended by themselves. */
  public long crashes() {
    return crashes.get();
  }

  /** Ends all, side by side. The host takes no more by then; those that start end themselves. */
  public void close() {
    each(place -> true);
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(stopTimeoutMs);
    while (!places.isEmpty()
        && System.nanoTime() - deadline < 0
        && !Thread.currentThread().isInterrupted()) {
      LockSupport.parkNanos(POLL_NANOS);
    }
  }
}
