package dev.ebb.computeservice.sql;

import dev.ebb.shared.model.Lsn;

/**
 * What goes on in a compute, without Ebb's own connections.
 *
 * @param connections client sessions
 * @param activeStatements sessions that run a statement
 * @param openTransactions sessions in a transaction, running or idle in it
 * @param replicationConnections walsenders other than Ebb's
 * @param sessionsEver client sessions since the start: tells short ones that came and went between
 *     two looks
 * @param commits since the start, outside the maintenance database that Ebb itself uses
 * @param idleMs since the newest end of a statement or beginning of a session among the present
 *     sessions; 0 while one is active or in a transaction; {@code Long.MAX_VALUE} without sessions
 * @param flushLsn what is flushed locally
 */
public record Activity(
    int connections,
    int activeStatements,
    int openTransactions,
    int replicationConnections,
    long sessionsEver,
    long commits,
    long idleMs,
    Lsn flushLsn) {}
