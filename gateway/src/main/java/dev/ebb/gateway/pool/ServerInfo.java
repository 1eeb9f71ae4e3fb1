package dev.ebb.gateway.pool;

/**
 * A connection to a compute at one moment.
 *
 * @param address {@code database@branch}
 * @param active whether it is lent to a client
 * @param processId of the backend
 * @param openedEpochMs when it was opened
 * @param client the id of the client that it is lent to; 0: none
 * @param preparedStatements that it keeps
 */
public record ServerInfo(
    String address,
    String user,
    boolean active,
    String host,
    int port,
    int processId,
    long openedEpochMs,
    long client,
    int preparedStatements) {}
