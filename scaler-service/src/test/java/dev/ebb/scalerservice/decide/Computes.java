package dev.ebb.scalerservice.decide;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.ComputeStatus.State;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;

/**
 * Computes for tests: idle for ten minutes unless told otherwise.
 *
 * @param activity statements, transactions, replication connections
 */
public record Computes(
    String branch,
    String database,
    long generation,
    State state,
    long uptimeMs,
    long idleMs,
    int connections,
    int[] activity) {
  public static final long IDLE_MS = 600_000;

  public static Computes idle(String branch) {
    return new Computes(
        branch, "db-" + branch, 1, State.RUNNING, 2 * IDLE_MS, IDLE_MS, 0, new int[] {0, 0, 0});
  }

  public Computes named(String value) {
    return new Computes(branch, value, generation, state, uptimeMs, idleMs, connections, activity);
  }

  public Computes generation(long value) {
    return new Computes(branch, database, value, state, uptimeMs, idleMs, connections, activity);
  }

  public Computes state(State value) {
    return new Computes(
        branch, database, generation, value, uptimeMs, idleMs, connections, activity);
  }

  public Computes up(long ms) {
    return new Computes(branch, database, generation, state, ms, idleMs, connections, activity);
  }

  public Computes idleFor(long ms) {
    return new Computes(branch, database, generation, state, uptimeMs, ms, connections, activity);
  }

  public Computes connections(int value) {
    return new Computes(branch, database, generation, state, uptimeMs, idleMs, value, activity);
  }

  public Computes activity(int statements, int transactions, int replication) {
    return new Computes(
        branch,
        database,
        generation,
        state,
        uptimeMs,
        idleMs,
        connections,
        new int[] {statements, transactions, replication});
  }

  public ComputeStatus status() {
    return new ComputeStatus(
        new BranchId(branch),
        new DatabaseId("d" + branch),
        database,
        "main",
        new Generation(generation),
        state,
        5432,
        4711,
        uptimeMs,
        idleMs,
        connections,
        activity[0],
        activity[1],
        activity[2],
        100,
        50 << 20,
        8192,
        8192,
        new Lsn(0x2000000),
        new Lsn(0x2000000));
  }
}
