package dev.ebb.computeservice.replicas;

import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.BranchId;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * How many replicas are wanted of which branch, as the catalog said when it was read last. Reading
 * it blocks. Thread-safe.
 */
final class WantedReplicas {
  private final Catalog catalog;
  private final Map<String, Map<BranchId, Integer>> byDatabase = new ConcurrentHashMap<>();

  WantedReplicas(Catalog catalog) {
    this.catalog = catalog;
  }

  /** Reads all of the catalog; what is not read for an error stays as it was. */
  void refresh() {
    var names = Set.copyOf(catalog.names());
    names.forEach(this::refresh);
    byDatabase.keySet().retainAll(names);
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
