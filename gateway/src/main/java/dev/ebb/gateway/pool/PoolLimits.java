package dev.ebb.gateway.pool;

import dev.ebb.shared.model.BranchId;
import java.util.HashMap;
import java.util.Map;

/** How many connections there are, over all event loops. For any thread. */
public final class PoolLimits {
  private final PoolConfig config;
  private final Map<Owner, Integer> byRole = new HashMap<>();
  private final Map<BranchId, Integer> byBranch = new HashMap<>();
  private int inAll;

  /** Whose connections are counted together. */
  record Owner(BranchId branch, String user) {}

  public PoolLimits(PoolConfig config) {
    this.config = config;
  }

  /**
   * Whether another connection may be opened; {@link #give} must follow then.
   *
   * @param size how many the owner may have
   */
  synchronized boolean take(Owner owner, int size) {
    int ofRole = byRole.getOrDefault(owner, 0);
    int ofBranch = byBranch.getOrDefault(owner.branch(), 0);
    if (ofRole >= size || ofBranch >= config.maxPerBranch() || inAll >= config.maxInAll()) {
      return false;
    }
    byRole.put(owner, ofRole + 1);
    byBranch.put(owner.branch(), ofBranch + 1);
    inAll++;
    return true;
  }

  /** A connection is gone. */
  synchronized void give(Owner owner) {
    byRole.computeIfPresent(owner, (key, count) -> count == 1 ? null : count - 1);
    byBranch.computeIfPresent(owner.branch(), (key, count) -> count == 1 ? null : count - 1);
    inAll--;
  }
}
