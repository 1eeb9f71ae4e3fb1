package dev.ebb.computeservice.sql;

import dev.ebb.shared.model.Lsn;

/**
 * What goes on in a replica, without Ebb's own connections.
 *
 * @param connections client sessions
 * @param activeStatements sessions that run a statement
 * @param openTransactions sessions in a transaction, running or idle in it
 * @param replayedLsn up to where WAL was replayed
 * @param endLsn how far the WAL sender said last that the log is durable; {@code Lsn.INVALID} where
 *     it has not yet
 * @param streaming whether WAL is streamed to it
 */
public record ReplicaActivity(
    int connections,
    int activeStatements,
    int openTransactions,
    Lsn replayedLsn,
    Lsn endLsn,
    boolean streaming,
    Conflicts conflicts) {

  /**
   * Queries that were cancelled since replay could not wait for them, since the start; by what they
   * were in the way of.
   *
   * @param pins of buffers
   */
  public record Conflicts(long tablespaces, long locks, long snapshots, long pins, long deadlocks) {
    public static final Conflicts NONE = new Conflicts(0, 0, 0, 0, 0);

    public long all() {
      return tablespaces + locks + snapshots + pins + deadlocks;
    }

    /** Both together. */
    public Conflicts plus(Conflicts other) {
      return new Conflicts(
          tablespaces + other.tablespaces,
          locks + other.locks,
          snapshots + other.snapshots,
          pins + other.pins,
          deadlocks + other.deadlocks);
    }
  }
}
