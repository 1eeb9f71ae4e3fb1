package dev.ebb.pageservice.gc;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.ObjectStore;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.concurrent.TimeUnit;

/** The time as the store has it: the only one that the ages of objects can be told by. Blocking. */
public final class StoreClock {
  private static final String KEY = "maintenance/clock";

  /** Far less than a grace, and more than clocks that something keeps right ever differ. */
  private static final long MAX_SKEW_MS = TimeUnit.MINUTES.toMillis(5);

  private final ObjectStore store;

  public StoreClock(ObjectStore store) {
    this.store = store;
  }

  /** In ms since the epoch; the store may know whole seconds only. */
  public long nowMs() {
    store.put(KEY, "1\n".getBytes(StandardCharsets.US_ASCII));
    return modifiedMs(KEY);
  }

  /**
   * The same; {@code Unavailable} where a local clock is far from it. Snapshots are dated by local
   * clocks: one that is wrong would have them expire at the wrong time.
   */
  long nowMs(Clock local) {
    long now = nowMs();
    long aheadMs = local.millis() - now;
    if (Math.abs(aheadMs) > MAX_SKEW_MS) {
      throw new EbbException.Unavailable(
          "this machine's clock is "
              + Math.abs(aheadMs) / 1_000
              + " s "
              + (aheadMs > 0 ? "ahead of" : "behind")
              + " the object store's: nothing is collected before one of them is set right");
    }
    return now;
  }

  /** When an object was last changed. */
  long modifiedMs(String key) {
    return store.list(key).stream()
        .filter(object -> object.key().equals(key))
        .map(ObjectStore.Listed::modifiedEpochMs)
        .findFirst()
        .orElseThrow(() -> new EbbException.Unavailable(key + " has gone"));
  }
}
