package dev.ebb.pageservice.gc;

import dev.ebb.pageservice.cache.Futures;
import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.store.ObjectStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Deletes what nothing reaches. Its order is what makes it right: first what is stored is listed,
 * then the roots are read, and only what was listed, is old enough and unreachable goes. Whatever
 * is committed meanwhile refers to what its base referred to, and to objects that are too young.
 * Two at once, or one that stops anywhere, do no harm. Blocking.
 */
public final class Collector {
  private static final Logger log = LoggerFactory.getLogger(Collector.class);
  private static final int DELETES_AT_ONCE = 16;

  /** Each but the last means that a branch was made meanwhile. */
  private static final int MAX_LOOKS = 20;

  /** A head that no catalog names for so many graces is what a creation left that crashed. */
  private static final int NAMELESS_GRACES = 24;

  private final ObjectStore store;
  private final BranchHeads heads;
  private final IndexWalk walk;
  private final ExecutorService threads;
  private final StoreClock storeClock;
  private final BranchLogs logs;
  private final GcLimits limits;
  private final Clock clock;
  private final GcMeters meters;

  public Collector(
      ObjectStore store,
      IndexWalk walk,
      ExecutorService threads,
      BranchLogs logs,
      GcLimits limits,
      Clock clock,
      GcMeters meters) {
    this.store = store;
    this.storeClock = new StoreClock(store);
    this.logs = logs;
    this.heads = new BranchHeads(store);
    this.walk = walk;
    this.threads = threads;
    this.limits = limits;
    this.clock = clock;
    this.meters = meters;
  }

  /**
   * What a collection found and did.
   *
   * @param deleted objects
   * @param damaged databases of which nothing was deleted, since something of them is missing or
   *     damaged
   */
  public record Report(int deleted, long deletedBytes, int damaged) {}

  /** What a run learnt, for a compaction. */
  record Found(Report report, List<BranchHead> heads, Survey survey, Map<String, Long> sizes) {}

  /** Collects once. */
  public Report collect() {
    return run().report();
  }

  Found run() {
    return meters.runs().record(this::timed);
  }

  private Found timed() {
    long storeNowMs = storeClock.nowMs(clock);
    // what no branch can have written is not Ebb's to touch
    List<ObjectStore.Listed> listed =
        store.list(Roots.PREFIX).stream()
            .filter(object -> BranchKeys.isOfBranch(object.key()))
            .toList();
    Roots roots = Roots.read(store);
    var run = new CollectionRun(store, walk, roots, listed, limits, storeNowMs, meters);
    run.look();
    run.fence(run.garbage());
    List<ObjectStore.Listed> garbage = run.garbage(); // less of it where a head moved on
    long bytes = delete(garbage);
    clearTombstones(roots, listed, garbage, storeNowMs);
    dropNameless(roots, listed, storeNowMs);
    var sizes = HashMap.<String, Long>newHashMap(listed.size());
    listed.forEach(object -> sizes.put(object.key(), object.bytes()));
    return new Found(
        new Report(garbage.size(), bytes, run.damaged()), run.heads(), run.survey(), sizes);
  }

  private long delete(List<ObjectStore.Listed> garbage) {
    // what refers goes before what it refers to
    List<ObjectStore.Listed> ordered = new ArrayList<>(garbage);
    ordered.sort(Comparator.comparingInt(object -> rank(object.key())));
    var room = new Semaphore(DELETES_AT_ONCE);
    long bytes = 0;
    for (int rank = 0; rank < 3; rank++) {
      List<CompletableFuture<Void>> deletes = new ArrayList<>();
      for (ObjectStore.Listed object : ordered) {
        if (rank(object.key()) == rank) {
          room.acquireUninterruptibly();
          bytes += object.bytes();
          deletes.add(CompletableFuture.runAsync(() -> delete(object, room), threads));
        }
      }
      deletes.forEach(Futures::await);
    }
    return bytes;
  }

  private static int rank(String key) {
    return key.contains("/manifests/") ? 0 : key.contains("/index/") ? 1 : 2;
  }

  private void delete(ObjectStore.Listed object, Semaphore room) {
    try {
      store.delete(object.key());
      meters.deleted(object.bytes());
    } finally {
      room.release();
    }
  }

  /**
   * A tombstone goes when nothing else of its branch is left, in the catalog neither: until then it
   * keeps whoever is still making the branch from giving it a head.
   */
  private void clearTombstones(
      Roots roots,
      List<ObjectStore.Listed> listed,
      List<ObjectStore.Listed> garbage,
      long storeNowMs) {
    Set<String> gone = new HashSet<>();
    garbage.forEach(object -> gone.add(object.key()));
    Set<BranchId> kept = new HashSet<>();
    for (ObjectStore.Listed object : listed) {
      boolean young = object.modifiedEpochMs() > storeNowMs - limits.graceMs();
      if (Roots.isHead(object.key()) ? young : !gone.contains(object.key())) {
        kept.add(Roots.branchOf(object.key()));
      }
    }
    for (BranchHead tombstone : roots.tombstones()) {
      BranchId branch = tombstone.branch();
      if (!kept.contains(branch) && !roots.named().contains(branch)) {
        try {
          // a fork that was under way may have made the log behind the drop that deleted it
          logs.delete(branch);
        } catch (EbbException e) {
          log.warn("the log of dropped branches stays for now: {}", e.getMessage());
          return;
        }
        store.delete(BranchKeys.head(branch));
      }
    }
  }

  private void dropNameless(Roots roots, List<ObjectStore.Listed> listed, long storeNowMs) {
    Map<String, Long> modified = new HashMap<>();
    listed.forEach(object -> modified.put(object.key(), object.modifiedEpochMs()));
    for (BranchHead head : roots.heads()) {
      Long at = modified.get(BranchKeys.head(head.branch()));
      if (at != null
          && !roots.named().contains(head.branch())
          && at <= storeNowMs - NAMELESS_GRACES * limits.graceMs()) {
        log.warn("branch {} is in no catalog: dropping it", head.branch());
        heads.drop(head.branch());
      }
    }
  }

  /**
   * Deletes at once what only a dropped branch reaches; what its children use stays for as long as
   * they do. The tombstone stays for a collection to clear away, and so does everything while a
   * branch of the database is in the making, or one is damaged. {@code Conflict} for a branch that
   * is not dropped.
   */
  public void deleteDropped(BranchId branch) {
    BranchHead tombstone = heads.read(branch).map(BranchHeads.Versioned::head).orElse(null);
    if (tombstone == null) {
      return; // what there may be, a collection finds
    }
    if (!tombstone.dropped()) {
      throw new EbbException.Conflict("branch " + branch + " is not dropped: drop it first");
    }
    List<ObjectStore.Listed> own = store.list(BranchKeys.prefix(branch));
    var survey = new Survey(store, walk, clock.millis(), limits.keptMs());
    try {
      for (BranchHead head : relatives(tombstone)) {
        if (!head.manifestKey().isEmpty()) {
          SnapshotView view = survey.manifest(head.manifestKey());
          survey.wholeHistory(head.branch(), view);
          survey.head(head, view);
        }
      }
    } catch (EbbException.Corrupt | EbbException.Conflict e) {
      log.warn("objects of branch {} are left to collection: {}", branch, e.getMessage());
      return;
    }
    delete(
        own.stream()
            .filter(object -> !Roots.isHead(object.key()))
            .filter(object -> !survey.reachable().contains(object.key()))
            .toList());
  }

  /**
   * The other branches of the database: only they can use what the branch has. {@code Conflict}
   * where one of them has no head yet: what it will refer to is not known.
   *
   * <p>Looks again until nothing has come since the look before, as {@link Roots#read} does and for
   * the same reason.
   */
  private List<BranchHead> relatives(BranchHead tombstone) {
    List<BranchHead> found = new ArrayList<>();
    Set<BranchId> seen = new HashSet<>();
    for (int look = 1; look <= MAX_LOOKS; look++) {
      List<BranchRecord> own = branchesOf(tombstone.database());
      if (own.isEmpty() && look == 1) {
        return Roots.read(store).heads().stream()
            .filter(head -> head.database().equals(tombstone.database()))
            .toList();
      }
      boolean more = false;
      for (BranchRecord branch : own) {
        if (seen.add(branch.id())) {
          more = true;
          Optional<BranchHead> head = heads.read(branch.id()).map(BranchHeads.Versioned::head);
          if (head.isEmpty() && branch.state() == BranchRecord.State.CREATING) {
            throw new EbbException.Conflict("branch " + branch.id() + " is being made");
          }
          head.filter(there -> !there.dropped()).ifPresent(found::add);
        }
      }
      if (!more) {
        return found;
      }
    }
    throw new EbbException.Conflict("branches were made during each of " + MAX_LOOKS + " looks");
  }

  private List<BranchRecord> branchesOf(DatabaseId id) {
    var catalog = new Catalog(store);
    List<CompletableFuture<Optional<DatabaseRecord>>> reads =
        catalog.names().stream()
            .map(name -> CompletableFuture.supplyAsync(() -> catalog.find(name), threads))
            .toList();
    return reads.stream()
        .flatMap(read -> Futures.await(read).stream())
        .filter(database -> database.id().equals(id))
        .flatMap(database -> database.branches().values().stream())
        .toList();
  }
}
