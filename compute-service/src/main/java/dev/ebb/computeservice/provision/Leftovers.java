package dev.ebb.computeservice.provision;

import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Clears away what somebody began to create or to drop, and died over. Which is told by time alone:
 * it has been seen so for longer than anybody takes. Whoever is at it all the same comes to no
 * harm: a drop may be done by two, and a creation that is dropped says so. Every host does it.
 * Blocking; for one thread at a time.
 */
public final class Leftovers {
  private static final Logger log = LoggerFactory.getLogger(Leftovers.class);

  /** Some times what the longest creation, with all its attempts, waits for. */
  static final Duration PATIENCE = Duration.ofMinutes(30);

  private final Catalog catalog;
  private final Clearing clearing;
  private final LongSupplier nanos;

  /** When each was seen first, by its id and state. */
  private Map<String, Long> seen = new HashMap<>();

  /** How it is done. */
  interface Clearing {
    void clear(DatabaseRecord database);

    void clear(DatabaseRecord database, String name, BranchRecord branch);
  }

  /**
   * @param nanos a clock that only goes forward
   */
  Leftovers(Catalog catalog, Clearing clearing, LongSupplier nanos) {
    this.catalog = catalog;
    this.clearing = clearing;
    this.nanos = nanos;
  }

  /** Looks once; clears what was seen long ago. */
  public synchronized void sweep() {
    Map<String, Long> now = new HashMap<>();
    for (String name : catalog.names()) {
      try {
        catalog.find(name).ifPresent(database -> sweep(database, now));
      } catch (EbbException e) {
        log.warn("database {}: nothing is cleared: {}", name, e.getMessage());
      }
    }
    seen = now;
  }

  private void sweep(DatabaseRecord database, Map<String, Long> now) {
    if (database.state() != DatabaseRecord.State.READY) {
      if (isOld(database.id() + " " + database.state(), now)) {
        log.warn("database {}: nobody goes on with {}", database.name(), database.state());
        clearing.clear(database);
      }
      return;
    }
    database
        .branches()
        .forEach((name, branch) -> {
          if (branch.state() != BranchRecord.State.READY
              && isOld(branch.id() + " " + branch.state(), now)) {
            log.warn("{}@{}: nobody goes on with {}", database.name(), name, branch.state());
            clear(database, name, branch);
          }
        });
  }

  private void clear(DatabaseRecord database, String name, BranchRecord branch) {
    try {
      clearing.clear(database, name, branch);
    } catch (EbbException e) {
      log.warn("{}@{} is not cleared: {}", database.name(), name, e.getMessage());
    }
  }

  private boolean isOld(String what, Map<String, Long> now) {
    long first = seen.getOrDefault(what, nanos.getAsLong());
    now.put(what, first);
    return nanos.getAsLong() - first >= PATIENCE.toNanos();
  }
}
