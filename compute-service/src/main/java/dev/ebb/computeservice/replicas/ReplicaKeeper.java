package dev.ebb.computeservice.replicas;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicaReady;
import dev.ebb.shared.bus.ComputeMessage.ReplicasChanged;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.fleet.FleetView.PlacedReplica;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Names;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.ReplicaStatus;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps as many replicas of each branch as are wanted. Every host has one; the one that leads acts:
 * that of the lowest id of those that are alive. Changes for one branch happen one at a time; its
 * methods block.
 */
public final class ReplicaKeeper {
  private static final Logger log = LoggerFactory.getLogger(ReplicaKeeper.class);

  /** How often the catalog is read without a cause. */
  private static final long REFRESH_NANOS = TimeUnit.SECONDS.toNanos(15);

  private static final long START_TIMEOUT_MS = 90_000;
  private static final long STOP_TIMEOUT_MS = 60_000;

  /**
   * Behind its start it looks on for so long: of hosts that have not announced themselves yet it
   * does not know what they run.
   */
  private static final long LOOK_ON_NANOS = TimeUnit.SECONDS.toNanos(2);

  private final HostId self;
  private final FleetView fleet;
  private final BlockingBus bus;
  private final Catalog catalog;
  private final Executor tasks;
  private final LongSupplier nanoTime;
  private final long beganNanos;
  private final WantedReplicas wanted;
  private final Map<BranchId, Keeping> keeping = new ConcurrentHashMap<>();
  private final AtomicBoolean refreshing = new AtomicBoolean();
  private volatile long refreshedAtNanos;
  private volatile boolean refreshed;

  /** Started here, and not announced by their hosts yet. */
  private final Map<ReplicaId, ReplicaReady> unheard = new ConcurrentHashMap<>();

  /** What is done about one branch. */
  private static final class Keeping {
    final ReentrantLock lock = new ReentrantLock();

    /** Under the lock. */
    final StartPace pace = new StartPace();
  }

  /**
   * @param self the host that this one runs at
   * @param fleet which runs what; fed by others
   * @param tasks runs what blocks
   */
  public ReplicaKeeper(
      HostId self,
      FleetView fleet,
      BlockingBus bus,
      Catalog catalog,
      Executor tasks,
      LongSupplier nanoTime) {
    this.self = self;
    this.fleet = fleet;
    this.bus = bus;
    this.catalog = catalog;
    this.tasks = tasks;
    this.nanoTime = nanoTime;
    this.beganNanos = nanoTime.getAsLong();
    this.wanted = new WantedReplicas(catalog);
  }

  /** The host that sees to replicas now; empty while no host is known. */
  public Optional<HostId> leader() {
    // Announcements come in order of id.
    return fleet.hosts().stream()
        .filter(host -> !host.leaving())
        .map(HostAnnouncement::host)
        .findFirst();
  }

  /** A host tells of its replicas: what it does not tell of is not there. */
  public void heard(ReplicaAnnouncement announcement) {
    unheard.values().removeIf(ready -> ready.host().equals(announcement.host()));
  }

  // ---------------------------------------------------------------- what is asked for

  /** Wants more, and starts them. */
  public ReplicasChanged add(ComputeMessage.AddReplicas request) {
    requireCount(request.count());
    DatabaseRecord database = find(request.database());
    BranchRecord branch = database.tree().requireReady(request.branch());
    Keeping kept = keeping(branch.id());
    kept.lock.lock();
    try {
      List<PlacedReplica> present = present(branch.id());
      if (hosts(branch.id(), request.count(), present).size() < request.count()) {
        throw new EbbException.Exhausted(
            "there is no room for "
                + request.count()
                + " more computes: suspend one, add memory or add a host");
      }
      int now = want(database, request.branch(), branch.id(), request.count());
      int missing = Math.max(0, now - present.size());
      List<ReplicaReady> started;
      try {
        started = start(branch.id(), missing, present);
      } catch (RuntimeException e) {
        undo(database, request.branch(), branch.id(), request.count(), e);
        throw e;
      }
      return new ReplicasChanged(
          branch.id(), now, started.stream().map(ReplicaReady::replica).toList());
    } finally {
      kept.lock.unlock();
    }
  }

  private void undo(
      DatabaseRecord database, String name, BranchId branch, int count, RuntimeException cause) {
    try {
      end(surplus(branch, want(database, name, branch, -count)));
    } catch (RuntimeException again) {
      cause.addSuppressed(again);
    }
  }

  /** Wants fewer, and ends them. */
  public ReplicasChanged remove(ComputeMessage.RemoveReplicas request) {
    requireCount(request.count());
    DatabaseRecord database = find(request.database());
    BranchRecord branch = database.tree().requireReady(request.branch());
    Keeping kept = keeping(branch.id());
    kept.lock.lock();
    try {
      int now = want(database, request.branch(), branch.id(), -request.count());
      return new ReplicasChanged(branch.id(), now, end(surplus(branch.id(), now)));
    } finally {
      kept.lock.unlock();
    }
  }

  private static void requireCount(int count) {
    if (count < 1 || count > BranchRecord.MAX_REPLICAS) {
      throw new EbbException.Invalid(
          "the number of replicas is 1 to " + BranchRecord.MAX_REPLICAS + ", not " + count);
    }
  }

  /** Changes how many are wanted; returns how many that is. */
  private int want(DatabaseRecord database, String name, BranchId branch, int more) {
    DatabaseRecord now =
        catalog.changeBranches(
            database.name(),
            database.id(),
            tree -> {
              int before = tree.require(name).replicas();
              if (before + more < 0) {
                throw new EbbException.Invalid(
                    database.name()
                        + "@"
                        + name
                        + (before == 0 ? " has no replica" : " has only " + before));
              }
              return tree.replicas(name, branch, before + more);
            });
    wanted.put(now);
    return now.tree().require(name).replicas();
  }

  private DatabaseRecord find(String name) {
    return catalog
        .find(name)
        .orElseThrow(() ->
            new EbbException.NotFound("database \"" + Names.printable(name) + "\" does not exist"));
  }

  /** The branches of a database changed. */
  public void review(String database) {
    wanted.refresh(database);
    look();
  }

  // ---------------------------------------------------------------- keeping

  /** Called several times a second. Returns soon: what takes time it has done by others. */
  public void look() {
    if (nanoTime.getAsLong() - beganNanos < LOOK_ON_NANOS) {
      return;
    }
    if (leader().filter(self::equals).isEmpty()) {
      refreshed = false;
      return;
    }
    if (!refreshed || nanoTime.getAsLong() - refreshedAtNanos >= REFRESH_NANOS) {
      refresh();
    }
    if (!refreshed) {
      return; // what is wanted is not known: nothing is ended for that
    }
    Map<BranchId, Integer> all = wanted.all();
    Map<BranchId, List<PlacedReplica>> present =
        fleet.replicas().stream().collect(Collectors.groupingBy(r -> r.status().branch()));
    Set<BranchId> branches = new HashSet<>(all.keySet());
    branches.addAll(present.keySet());
    for (BranchId branch : branches) {
      if (all.getOrDefault(branch, 0) != present.getOrDefault(branch, List.of()).size()) {
        tasks.execute(() -> keep(branch));
      }
    }
  }

  private void refresh() {
    if (refreshing.compareAndSet(false, true)) {
      tasks.execute(() -> {
        try {
          wanted.refresh();
          refreshedAtNanos = nanoTime.getAsLong();
          refreshed = true;
        } catch (EbbException e) {
          log.warn("how many replicas are wanted is not known: {}", e.getMessage());
        } finally {
          refreshing.set(false);
        }
      });
    }
  }

  private void keep(BranchId branch) {
    Keeping kept = keeping(branch);
    if (!kept.lock.tryLock()) {
      return; // somebody is at it
    }
    try {
      if (!kept.pace.mayStart(nanoTime.getAsLong())) {
        return;
      }
      List<PlacedReplica> present = present(branch);
      // Read anew: what was read in the background may be from before somebody's change.
      int missing = wanted.now(branch) - present.size();
      if (missing > 0) {
        start(branch, missing, present);
        kept.pace.started(nanoTime.getAsLong());
      } else if (missing < 0) {
        end(ReplicaPlan.surplus(present, -missing));
      }
    } catch (RuntimeException e) {
      kept.pace.failed(nanoTime.getAsLong());
      log.warn("the replicas of branch {}: {}", branch, e.getMessage());
    } finally {
      kept.lock.unlock();
    }
  }

  private Keeping keeping(BranchId branch) {
    return keeping.computeIfAbsent(branch, id -> new Keeping());
  }

  /** Those that there are, or are about to be, at hosts that stay. */
  private List<PlacedReplica> present(BranchId branch) {
    Set<HostId> leaving =
        fleet.hosts().stream()
            .filter(HostAnnouncement::leaving)
            .map(HostAnnouncement::host)
            .collect(Collectors.toSet());
    List<PlacedReplica> present = new ArrayList<>();
    Set<ReplicaId> announced = new HashSet<>();
    for (PlacedReplica replica : fleet.replicas(branch)) {
      announced.add(replica.status().replica());
      ComputeStatus.State state = replica.status().state();
      if (!leaving.contains(replica.host())
          && (state == ComputeStatus.State.RUNNING || state == ComputeStatus.State.STARTING)) {
        present.add(replica);
      }
    }
    // A host that died before it could tell of them never will.
    Set<HostId> alive =
        fleet.hosts().stream().map(HostAnnouncement::host).collect(Collectors.toSet());
    unheard.values().removeIf(ready -> !alive.contains(ready.host()));
    for (ReplicaReady ready : unheard.values()) {
      if (ready.branch().equals(branch) && !announced.contains(ready.replica())) {
        present.add(new PlacedReplica(ready.host(), "", statusOf(ready)));
      }
    }
    return List.copyOf(present);
  }

  private static ReplicaStatus statusOf(ReplicaReady ready) {
    return new ReplicaStatus(
        ready.replica(),
        ready.branch(),
        new DatabaseId("unknown"),
        "",
        "",
        ComputeStatus.State.RUNNING,
        ready.port(),
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

  private List<HostId> hosts(BranchId branch, int count, List<PlacedReplica> present) {
    return ReplicaPlan.hosts(branch, count, fleet.hosts(), present);
  }

  /** Starts so many more, side by side; where one fails the others are there all the same. */
  private List<ReplicaReady> start(BranchId branch, int count, List<PlacedReplica> present) {
    List<HostId> hosts = hosts(branch, count, present);
    List<CompletableFuture<ReplicaReady>> starting =
        hosts.stream()
            .map(host -> CompletableFuture.supplyAsync(() -> start(branch, host), tasks))
            .toList();
    var started = new ArrayList<ReplicaReady>();
    RuntimeException failure = null;
    for (CompletableFuture<ReplicaReady> each : starting) {
      try {
        started.add(each.join());
      } catch (CompletionException e) {
        failure =
            e.getCause() instanceof EbbException known
                ? known
                : new EbbException.Unavailable("a replica did not start: " + e.getCause(), e);
      }
    }
    if (failure != null) {
      throw failure;
    }
    if (hosts.size() < count) {
      throw new EbbException.Exhausted(
          "no host has room for " + (count - hosts.size()) + " more replicas");
    }
    return List.copyOf(started);
  }

  private ReplicaReady start(BranchId branch, HostId host) {
    ReplicaReady ready =
        bus.call(Addresses.host(host), new ComputeMessage.StartReplica(branch), START_TIMEOUT_MS);
    unheard.put(ready.replica(), ready);
    return ready;
  }

  private List<PlacedReplica> surplus(BranchId branch, int count) {
    List<PlacedReplica> present = present(branch);
    return ReplicaPlan.surplus(present, Math.max(0, present.size() - count));
  }

  /** Returns when they are gone. */
  private List<ReplicaId> end(List<PlacedReplica> surplus) {
    for (PlacedReplica replica : surplus) {
      ReplicaId id = replica.status().replica();
      bus.call(Addresses.host(replica.host()), new ComputeMessage.StopReplica(id), STOP_TIMEOUT_MS);
      unheard.remove(id);
    }
    return surplus.stream().map(replica -> replica.status().replica()).toList();
  }
}
