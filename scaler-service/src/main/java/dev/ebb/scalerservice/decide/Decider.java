package dev.ebb.scalerservice.decide;

import dev.ebb.shared.bus.ScalerMessage.Action;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The decisions that follow from a view of the fleet: a pure function. A decision is a proposal;
 * the compute checks again before it stops, for what it announced is up to some seconds old.
 */
public final class Decider {
  /** A capture reads and sends pages: many at a time would slow down those who are awake. */
  public static final int MAX_SUSPENDS_IN_FLIGHT = 4;

  private static final Comparator<Sighting> NEWEST =
      Comparator.comparing((Sighting sighting) -> sighting.status().generation())
          .thenComparingLong(Sighting::seenMs);

  private Decider() {}

  /**
   * What to do now, the longest idle first.
   *
   * @param nowMs on the clock of {@link Sighting#seenMs()}
   */
  public static List<Decision> decide(View view, SuspendPolicy policy, long nowMs) {
    int room = Math.max(0, MAX_SUSPENDS_IN_FLIGHT - view.inFlight());
    return newestOfEachBranch(view).stream()
        .filter(sighting -> maySuspend(sighting, view, policy, nowMs))
        .sorted(
            Comparator.comparingLong((Sighting sighting) -> -idleMs(sighting.status()))
                .thenComparing(sighting -> sighting.status().branch().value()))
        .limit(room)
        .map(sighting -> suspend(sighting, policy))
        .toList();
  }

  /** A branch that moved may be announced by the old host for a while: the newer primary counts. */
  private static Collection<Sighting> newestOfEachBranch(View view) {
    Map<BranchId, Sighting> newest = new HashMap<>();
    for (Sighting sighting : view.computes()) {
      newest.merge(
          sighting.status().branch(), sighting, (a, b) -> NEWEST.compare(a, b) >= 0 ? a : b);
    }
    return newest.values();
  }

  private static boolean maySuspend(
      Sighting sighting, View view, SuspendPolicy policy, long nowMs) {
    ComputeStatus compute = sighting.status();
    long timeoutMs = policy.idleTimeoutMs(compute);
    return timeoutMs > 0
        && compute.state() == ComputeStatus.State.RUNNING
        && !sighting.leaving()
        && !FleetWindow.isExpired(sighting.seenMs(), nowMs)
        && nowMs >= view.heldUntilMs().getOrDefault(compute.branch(), Long.MIN_VALUE)
        && isUnused(compute)
        && idleMs(compute) >= timeoutMs;
  }

  /** The host says idleMs = 0 while any of these lasts; a wrong idleMs must not end a session. */
  private static boolean isUnused(ComputeStatus compute) {
    return compute.activeStatements() == 0
        && compute.openTransactions() == 0
        && compute.replicationConnections() == 0;
  }

  /** Nothing has been idle for longer than it has been up. */
  private static long idleMs(ComputeStatus compute) {
    return Math.min(compute.idleMs(), compute.uptimeMs());
  }

  private static Decision suspend(Sighting sighting, SuspendPolicy policy) {
    ComputeStatus compute = sighting.status();
    long timeoutMs = policy.idleTimeoutMs(compute);
    String reason =
        String.format(
            Locale.ROOT,
            "%s@%s was not used for %s; its idle timeout is %s",
            compute.databaseName(),
            compute.branchName(),
            inSeconds(idleMs(compute)),
            inSeconds(timeoutMs));
    String inputs =
        String.format(
            Locale.ROOT,
            "idle %d ms, up %d ms, %d connections, %d statements, %d transactions,"
                + " %d replication connections, generation %s, host %s",
            compute.idleMs(),
            compute.uptimeMs(),
            compute.connections(),
            compute.activeStatements(),
            compute.openTransactions(),
            compute.replicationConnections(),
            compute.generation(),
            sighting.host());
    return new Decision(compute.branch(), Action.SUSPEND, timeoutMs, reason, inputs);
  }

  private static String inSeconds(long ms) {
    return String.format(Locale.ROOT, "%.1f s", ms / 1000.0);
  }
}
