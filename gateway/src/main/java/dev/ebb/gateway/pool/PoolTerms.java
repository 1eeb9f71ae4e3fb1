package dev.ebb.gateway.pool;

import java.util.ArrayList;

/**
 * How the clients of one role of a branch share connections.
 *
 * @param size connections at most
 * @param minimum connections that are opened and warmed as soon as there is one, or the compute has
 *     woken
 */
public record PoolTerms(PoolMode mode, int size, int minimum) {
  public PoolTerms {
    var wrong = new ArrayList<String>();
    if (size < 1) {
      wrong.add("a pool needs at least one connection");
    }
    if (minimum < 0 || minimum > size) {
      wrong.add("a pool's minimum must be 0 to its size, not " + minimum);
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", wrong));
    }
  }
}
