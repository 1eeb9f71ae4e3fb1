package dev.ebb.pageservice.gc;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.ObjectStore;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * Keeps several page services from doing the same work at the same time. Nothing depends on it: two
 * at once do no harm. The store's clock is the only one there is.
 */
final class Lease {
  private static final String KEY = "maintenance/lease";
  private static final String CLOCK = "maintenance/clock";

  private final ObjectStore store;

  Lease(ObjectStore store) {
    this.store = store;
  }

  /** The time as the store has it, in ms since the epoch. */
  long storeNowMs() {
    store.put(CLOCK, "1\n".getBytes(StandardCharsets.US_ASCII));
    return modified(CLOCK);
  }

  private long modified(String key) {
    return store.list(key).stream()
        .filter(object -> object.key().equals(key))
        .map(ObjectStore.Listed::modifiedEpochMs)
        .findFirst()
        .orElseThrow(() -> new EbbException.Unavailable(key + " has gone"));
  }

  /** Whether this one may work now: nobody took the lease within the last {@code ms}. */
  boolean take(String holder, long ms) {
    byte[] own =
        ("1 " + holder + " " + System.nanoTime() + "\n").getBytes(StandardCharsets.US_ASCII);
    Optional<ObjectStore.Stored> present = store.get(KEY);
    if (present.isEmpty()) {
      return store.putIfAbsent(KEY, own).isPresent();
    }
    if (storeNowMs() - modified(KEY) < ms) {
      return false;
    }
    return store.putIfMatch(KEY, own, present.get().version()).isPresent();
  }
}
