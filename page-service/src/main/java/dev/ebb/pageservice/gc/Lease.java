package dev.ebb.pageservice.gc;

import dev.ebb.shared.store.ObjectStore;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * Keeps several page services from doing the same work at the same time. Nothing depends on it: two
 * at once do no harm. The store's clock is the only one there is.
 */
final class Lease {
  private static final String KEY = "maintenance/lease";

  private final ObjectStore store;
  private final StoreClock clock;

  Lease(ObjectStore store) {
    this.store = store;
    this.clock = new StoreClock(store);
  }

  /** Whether this one may work now: nobody took the lease within the last {@code ms}. */
  boolean take(String holder, long ms) {
    byte[] own =
        ("1 " + holder + " " + System.nanoTime() + "\n").getBytes(StandardCharsets.US_ASCII);
    Optional<ObjectStore.Stored> present = store.get(KEY);
    if (present.isEmpty()) {
      return store.putIfAbsent(KEY, own).isPresent();
    }
    if (clock.nowMs() - clock.modifiedMs(KEY) < ms) {
      return false;
    }
    return store.putIfMatch(KEY, own, present.get().version()).isPresent();
  }
}
