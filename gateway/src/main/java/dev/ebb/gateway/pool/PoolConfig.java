package dev.ebb.gateway.pool;

import java.util.ArrayList;

/**
 * How connections to computes are shared.
 *
 * @param size connections for each role of a branch
 * @param maxPerBranch connections for all roles of a branch together
 * @param maxInAll connections to all computes
 * @param minimum connections that are opened and warmed as soon as there is one, for each role
 * @param waitTimeoutMs how long a client's transaction waits for a connection
 * @param idleTimeoutMs after which an unused connection is closed
 * @param lifetimeMs after which a connection is closed as soon as nobody uses it
 * @param maxPreparedStatements that a connection keeps
 */
public record PoolConfig(
    int size,
    int maxPerBranch,
    int maxInAll,
    int minimum,
    long waitTimeoutMs,
    long idleTimeoutMs,
    long lifetimeMs,
    int maxPreparedStatements) {

  /** PgBouncer's figures where it has any. */
  public static final PoolConfig DEFAULT =
      new PoolConfig(20, 60, 2_000, 0, 120_000, 600_000, 3_600_000, 200);

  public PoolConfig {
    var wrong = new ArrayList<String>();
    if (size < 1 || maxPerBranch < 1 || maxInAll < 1) {
      wrong.add("a pool needs at least one connection");
    }
    if (minimum < 0 || minimum > size) {
      wrong.add("a pool's minimum must be 0 to its size, not " + minimum);
    }
    if (waitTimeoutMs < 1 || idleTimeoutMs < 1 || lifetimeMs < 1) {
      wrong.add("a pool's timeouts must be positive");
    }
    if (maxPreparedStatements < 1) {
      wrong.add("a pool's connections must be allowed a prepared statement");
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", wrong));
    }
  }
}
