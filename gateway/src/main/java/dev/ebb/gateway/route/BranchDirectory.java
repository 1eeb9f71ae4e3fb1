package dev.ebb.gateway.route;

import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import java.util.List;
import java.util.Optional;

/** Finds branches by name. Blocking. */
@FunctionalInterface
public interface BranchDirectory {

  /**
   * Empty where there is no such database or branch, or it is being dropped.
   *
   * @throws dev.ebb.shared.error.EbbException.Unavailable where the catalog cannot be read
   * @throws UnfinishedException where the database or the branch is still being made
   */
  Optional<BranchId> find(BranchAddress address);

  /**
   * The same, with who may come there; empty where there is no such database.
   *
   * @throws dev.ebb.shared.error.EbbException.Unavailable where the catalog cannot be read
   */
  default Optional<Located> locate(BranchAddress address) {
    return Optional.of(new Located(List.of(), () -> find(address)));
  }
}
