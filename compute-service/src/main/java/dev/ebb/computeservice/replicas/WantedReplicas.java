package dev.ebb.computeservice.replicas;

import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.ObjectStore;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * How many replicas are wanted of which branch, as the catalog said when it was read last. Reading
 * it blocks. Thread-safe.
 */
final class WantedReplicas {
  /**
   * How long after an object was first seen as it is another change of it may still look the same:
   * S3 tells times in whole seconds, a file system in steps of some milliseconds.
   */
  private static final long CLOCK_STEP_NANOS = TimeUnit.SECONDS.toNanos(2);

  private final Catalog catalog;
  private final Map<String, Map<BranchId, Integer>> byDatabase = new ConcurrentHashMap<>();

  /** Under this object's lock: what the catalog looked like when it was read last. */
  private Map<String, Seen> seen = new HashMap<>();

  /**
   * An object of the catalog.
   *
   * @param sinceNanos when it first looked like this, by {@link System#nanoTime}
   * @param settled whether it was read when no further change could look the same
   */
  private record Seen(ObjectStore.Listed stamp, long sinceNanos, boolean settled) {}

  WantedReplicas(Catalog catalog) {
    this.catalog = catalog;
  }

  /**
   * Reads what changed in the catalog since the last time; what is not read for an error stays as
   * it was. An object is read until no further change of it could look the same.
   */
  synchronized void refresh() {
    Map<String, ObjectStore.Listed> now = catalog.stamps();
    Map<String, Seen> seenNow = new HashMap<>();
    now.forEach((name, stamp) -> {
      Seen before = seen.get(name);
      if (before == null || !before.stamp().equals(stamp)) {
        before = new Seen(stamp, System.nanoTime(), false);
      }
      if (!before.settled()) {
        boolean settled = System.nanoTime() - before.sinceNanos() > CLOCK_STEP_NANOS;
        refresh(name);
        before = new Seen(stamp, before.sinceNanos(), settled);
      }
      seenNow.put(name, before);
    });
    seen = seenNow;
    byDatabase.keySet().retainAll(now.keySet());
  }

  /** Reads one database. */
  Map<BranchId, Integer> refresh(String database) {
    Optional<DatabaseRecord> found = catalog.find(database);
    if (found.isEmpty()) {
      byDatabase.remove(database);
      return Map.of();
    }
    return put(found.get());
  }

  /** It was read, or changed, just now. */
  Map<BranchId, Integer> put(DatabaseRecord database) {
    Map<BranchId, Integer> wanted = new HashMap<>();
    if (database.state() == DatabaseRecord.State.READY) {
      for (BranchRecord branch : database.branches().values()) {
        if (branch.state() == BranchRecord.State.READY && branch.replicas() > 0) {
          wanted.put(branch.id(), branch.replicas());
        }
      }
    }
    Map<BranchId, Integer> now = Map.copyOf(wanted);
    byDatabase.put(database.name(), now);
    return now;
  }

  /** Of one branch, as the catalog says now. */
  int now(BranchId branch) {
    for (var known : byDatabase.entrySet()) {
      if (known.getValue().containsKey(branch)) {
        return refresh(known.getKey()).getOrDefault(branch, 0);
      }
    }
    refresh();
    return all().getOrDefault(branch, 0);
  }

  /** Of all branches of which any are. */
  Map<BranchId, Integer> all() {
    Map<BranchId, Integer> all = new HashMap<>();
    byDatabase.values().forEach(all::putAll);
    return all;
  }
}
