package dev.ebb.gateway.session;

/**
 * What a session may take.
 *
 * @param loginTimeoutMs from connecting to being authenticated
 * @param wakeTimeoutMs from there to the first ReadyForQuery
 * @param maxUnauthenticated connections that may be logging in at a time
 * @param maxConnections connections in all
 * @param requireTls whether sessions without TLS are refused
 */
public record SessionLimits(
    long loginTimeoutMs,
    long wakeTimeoutMs,
    int maxUnauthenticated,
    int maxConnections,
    boolean requireTls) {}
