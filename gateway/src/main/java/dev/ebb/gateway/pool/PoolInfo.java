package dev.ebb.gateway.pool;

import java.util.List;

/**
 * A pool of one event loop at one moment.
 *
 * @param address {@code database@branch}
 * @param clients that belong to it
 * @param waiting of them, for a connection
 * @param opening connections that are being opened
 * @param maxWaitNanos how long the first of those who wait has
 */
public record PoolInfo(
    String address,
    String user,
    PoolMode mode,
    int clients,
    int waiting,
    int opening,
    long maxWaitNanos,
    List<ServerInfo> servers) {

  /** How many connections work for a client. */
  public int active() {
    return (int) servers.stream().filter(ServerInfo::active).count();
  }
}
