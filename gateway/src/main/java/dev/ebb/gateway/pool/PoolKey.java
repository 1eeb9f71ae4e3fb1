package dev.ebb.gateway.pool;

import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import java.util.Map;

/**
 * Which clients share connections: those whose connections would have been opened alike.
 *
 * @param address as the client gave it, {@code database} or {@code database@branch}
 * @param parameters of the startup packet that PostgreSQL applies to the session, without
 *     application_name
 */
public record PoolKey(
    BranchId branch, String user, String address, Map<String, String> parameters) {
  public PoolKey {
    parameters = Map.copyOf(parameters);
  }

  /** The name of the database, whichever branch of it is meant. */
  String database() {
    return BranchAddress.parse(address).database();
  }

  PoolLimits.Owner owner() {
    return new PoolLimits.Owner(branch, user);
  }
}
