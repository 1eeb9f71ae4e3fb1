package dev.ebb.shared.catalog;

import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A database in the catalog, stored as JSON under {@code catalog/databases/NAME}.
 *
 * @param state CREATING until its first start succeeded; DROPPING once a drop began
 * @param owner the role that owns it
 * @param branches branch ids by branch name
 */
public record DatabaseRecord(
    int formatVersion,
    DatabaseId id,
    String name,
    String owner,
    State state,
    long createdEpochMs,
    Map<String, BranchId> branches) {
  /** Where a database stands in its life. */
  public enum State {
    CREATING,
    READY,
    DROPPING
  }

  /** How people call its branches. */
  public Map<BranchId, BranchAddress> addresses() {
    return branches.entrySet().stream()
        .collect(
            Collectors.toUnmodifiableMap(
                Map.Entry::getValue, named -> new BranchAddress(name, named.getKey())));
  }
}
