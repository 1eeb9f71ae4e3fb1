package dev.ebb.shared.model;

/**
 * One replica, as its host announces it.
 *
 * @param state where it stands; only a {@code RUNNING} one takes sessions
 * @param pid of the postmaster; 0 where none runs
 * @param uptimeMs since it accepted connections
 * @param connections client sessions
 * @param activeStatements sessions that run a statement
 * @param openTransactions sessions in a transaction
 * @param residentBytes memory of its processes, shared memory counted once
 * @param hydratedBytes relation data fetched on demand since the start
 * @param replayedLsn up to where it shows what was committed
 * @param durableLsn up to where the branch's log is known to be durable, by the same look
 * @param lagMs for how long the oldest WAL that it has not replayed has been known to be durable; 0
 *     where there is none
 * @param conflicts queries that were cancelled because replay could not wait for them, since the
 *     start ({@code pg_stat_database_conflicts})
 */
public record ReplicaStatus(
    ReplicaId replica,
    BranchId branch,
    DatabaseId database,
    String databaseName,
    String branchName,
    ComputeStatus.State state,
    int port,
    long pid,
    long uptimeMs,
    int connections,
    int activeStatements,
    int openTransactions,
    long residentBytes,
    long hydratedBytes,
    Lsn replayedLsn,
    Lsn durableLsn,
    long lagMs,
    long conflicts) {

  /** WAL that is durable and not replayed. */
  public long lagBytes() {
    return Math.max(0, durableLsn.minus(replayedLsn));
  }
}
