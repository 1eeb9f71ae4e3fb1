package dev.ebb.gateway.pool;

/**
 * What a client that shares connections does at one moment.
 *
 * @param state {@code active}, {@code waiting} or {@code idle}
 * @param waitNanos how long it waits for a connection; 0: it does not
 * @param server the process id of the backend that is lent to it; 0: none
 */
public record ClientState(
    String state,
    long waitNanos,
    int server,
    boolean pinned,
    int preparedStatements,
    long transactions,
    long statements) {}
