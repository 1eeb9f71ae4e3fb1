package dev.ebb.gateway.pool;

import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/** Which branches' transactions wait until somebody lets them go on. For any thread. */
public final class Pauses {
  private final Map<String, Boolean> byAddress = new ConcurrentHashMap<>();
  private volatile boolean all;
  private volatile boolean some;

  /**
   * Whether transactions on a branch wait.
   *
   * @param address {@code database@branch}
   */
  public boolean isPaused(String address) {
    return some && (all || byAddress.containsKey(address));
  }

  /** Whether those on every branch do. */
  public boolean isAllPaused() {
    return all;
  }

  /** The branches that were paused by name. */
  public Set<String> addresses() {
    return new TreeSet<>(byAddress.keySet());
  }

  /** Pauses one branch, or all where it is empty. */
  public synchronized void pause(String address) {
    if (address.isEmpty()) {
      all = true;
    } else {
      byAddress.put(address, true);
    }
    some = true;
  }

  /**
   * Lets one branch go on, or all where it is empty.
   *
   * @return whether it was paused
   */
  public synchronized boolean resume(String address) {
    boolean was;
    if (address.isEmpty()) {
      was = some;
      all = false;
      byAddress.clear();
    } else {
      was = byAddress.remove(address) != null;
    }
    some = all || !byAddress.isEmpty();
    return was;
  }
}
