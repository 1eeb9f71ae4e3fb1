package dev.ebb.shared.model;

/**
 * One compute, as its host announces it.
 *
 * @param pid of the postmaster; 0 where none runs
 * @param state where it stands
 * @param uptimeMs since it accepted connections
 * @param idleMs since the last use: a statement, an open transaction, a replication connection or a
 *     new session; 0 while any lasts
 * @param connections client sessions
 * @param activeStatements sessions that run a statement
 * @param openTransactions sessions in a transaction
 * @param replicationConnections walsenders other than Ebb's own
 * @param commits since the start
 * @param residentBytes memory of its processes, shared memory counted once
 * @param hydratedBytes relation data fetched on demand since the start
 * @param bootBytes relation data fetched ahead of the start
 * @param walLsn what PostgreSQL has written
 * @param durableLsn what Kafka has
 */
public record ComputeStatus(
    BranchId branch,
    DatabaseId database,
    String databaseName,
    String branchName,
    Generation generation,
    State state,
    int port,
    long pid,
    long uptimeMs,
    long idleMs,
    int connections,
    int activeStatements,
    int openTransactions,
    int replicationConnections,
    long commits,
    long residentBytes,
    long hydratedBytes,
    long bootBytes,
    Lsn walLsn,
    Lsn durableLsn) {
  /** Where a compute stands. */
  public enum State {
    STARTING,
    RUNNING,
    SUSPENDING,
    FAILED
  }
}
