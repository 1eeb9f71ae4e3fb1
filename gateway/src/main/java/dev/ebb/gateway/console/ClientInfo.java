package dev.ebb.gateway.console;

import org.jspecify.annotations.Nullable;

/**
 * A client's connection at one moment.
 *
 * @param id of this process' own, never used again
 * @param user empty before it was told
 * @param database {@code database@branch}; empty before it was told
 * @param mode {@code session}, {@code transaction}, {@code console}, or {@code login}
 * @param state {@code active} in a statement or transaction, {@code waiting} for a connection, else
 *     {@code idle}
 * @param waitNanos since when it waits; 0: it does not
 * @param tls the protocol's version; empty without TLS
 * @param server the process id of what works for it; 0: nothing does
 * @param pinned whether it keeps its connection until it ends
 * @param compute where it has a connection of its own; null elsewhere
 */
public record ClientInfo(
    long id,
    String user,
    String database,
    String mode,
    String state,
    String address,
    int port,
    long connectedEpochMs,
    long waitNanos,
    String tls,
    String applicationName,
    int server,
    boolean pinned,
    int preparedStatements,
    long transactions,
    long statements,
    @Nullable Compute compute) {

  /** The other end of a session's own connection. */
  public record Compute(String host, int port) {}
}
