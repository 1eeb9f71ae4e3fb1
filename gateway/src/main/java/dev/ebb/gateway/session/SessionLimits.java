package dev.ebb.gateway.session;

import org.jspecify.annotations.Nullable;

/**
 * What a session may take.
 *
 * @param loginTimeoutMs from connecting to being authenticated
 * @param wakeTimeoutMs from there to the first ReadyForQuery
 * @param maxUnauthenticated connections that may be logging in at a time
 * @param maxConnections connections in all
 * @param requireTls whether sessions without TLS are refused
 * @param domain below which names of servers are names of branches; null for none
 * @param requireClientCertificate whether sessions without a client's certificate are refused
 */
public record SessionLimits(
    long loginTimeoutMs,
    long wakeTimeoutMs,
    int maxUnauthenticated,
    int maxConnections,
    boolean requireTls,
    @Nullable String domain,
    boolean requireClientCertificate) {}
