package dev.ebb.gateway.route;

import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.fleet.FleetView.PlacedReplica;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.ReplicaId;
import java.time.Clock;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Deals sessions out among the replicas of a branch, as their hosts announce them: the next one
 * goes where this gateway has the fewest, then where others have the fewest. Where none could be
 * opened a moment ago is where it goes last: such a one has the fewest, and would be met by all.
 * For any thread.
 */
public final class ReplicaRoutes {
  /** A branch that had a replica so lately is likely to have one again in a moment. */
  private static final Duration REMEMBERED = Duration.ofSeconds(30);

  /** What hangs is tried again behind so long. */
  private static final Duration AVOIDED = Duration.ofSeconds(10);

  private final FleetView fleet;
  private final Clock clock;
  private final Map<ReplicaId, Long> failedAtMs = new ConcurrentHashMap<>();
  private final Map<ReplicaId, AtomicInteger> sessions = new ConcurrentHashMap<>();
  private final Map<BranchId, Long> seenAtMs = new ConcurrentHashMap<>();

  public ReplicaRoutes(Clock clock) {
    this.fleet = new FleetView(clock);
    this.clock = clock;
  }

  /** Where a session is; to be closed when it ends. */
  public final class Place implements AutoCloseable {
    private final PlacedReplica replica;
    private boolean closed;

    private Place(PlacedReplica replica) {
      this.replica = replica;
    }

    public String address() {
      return replica.address();
    }

    public int port() {
      return replica.status().port();
    }

    /** No session could be opened there. */
    public void failed() {
      failedAtMs.put(replica.status().replica(), clock.millis());
    }

    @Override
    public synchronized void close() {
      if (!closed) {
        closed = true;
        sessions.computeIfPresent(
            replica.status().replica(), (id, count) -> count.decrementAndGet() <= 0 ? null : count);
      }
    }
  }

  /** A host tells of its replicas. */
  public void heard(ReplicaAnnouncement announcement) {
    fleet.accept(announcement);
    long now = clock.millis();
    announcement.replicas().forEach(replica -> seenAtMs.put(replica.branch(), now));
    seenAtMs.values().removeIf(at -> now - at > REMEMBERED.toMillis());
    failedAtMs.values().removeIf(at -> now - at > AVOIDED.toMillis());
  }

  /** The replica for the next session; empty where none takes any. */
  public Optional<Place> next(BranchId branch) {
    List<PlacedReplica> ready =
        fleet.replicas(branch).stream()
            .filter(replica -> replica.status().state() == ComputeStatus.State.RUNNING)
            .toList();
    // One at a time: two at once must not both see the same one as the emptier.
    synchronized (this) {
      Optional<PlacedReplica> chosen =
          ready.stream()
              .min(
                  Comparator.comparing(this::hasFailed)
                      .thenComparingInt(this::own)
                      .thenComparingInt(replica -> replica.status().connections())
                      .thenComparing(replica -> replica.status().replica().value()));
      chosen.ifPresent(replica ->
          sessions.compute(
              replica.status().replica(),
              (id, count) -> {
                AtomicInteger now = count == null ? new AtomicInteger() : count;
                now.incrementAndGet();
                return now;
              }));
      return chosen.map(Place::new);
    }
  }

  private boolean hasFailed(PlacedReplica replica) {
    return failedAtMs.containsKey(replica.status().replica());
  }

  private int own(PlacedReplica replica) {
    AtomicInteger count = sessions.get(replica.status().replica());
    return count == null ? 0 : count.get();
  }

  /** Whether one may be there soon: it starts, or there was one a moment ago. */
  public boolean isExpected(BranchId branch) {
    return seenAtMs.containsKey(branch);
  }
}
