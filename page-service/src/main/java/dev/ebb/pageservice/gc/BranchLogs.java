package dev.ebb.pageservice.gc;

import dev.ebb.shared.model.BranchId;

/** What a collection has to do with the logs of branches. */
@FunctionalInterface
public interface BranchLogs {
  /**
   * Deletes the log of a dropped branch; no error where there is none. May fail, and be repeated.
   */
  void delete(BranchId branch);
}
