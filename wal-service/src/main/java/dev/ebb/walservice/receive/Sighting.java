package dev.ebb.walservice.receive;

import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.fleet.FleetView.PlacedCompute;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.Generation;
import java.util.Comparator;

/**
 * What the hosts' announcements say of a primary. They are hearsay: nothing is acknowledged because
 * of them, only attempts to reach a primary are given up.
 */
public enum Sighting {
  /** A host runs it. */
  ANNOUNCED,
  /** A later generation of the branch was started, so that this one is over. */
  REPLACED,
  /** Nobody says that it runs. */
  ABSENT;

  public static Sighting of(FleetView fleet, BranchId branch, Generation generation) {
    return fleet.computes().stream()
        .map(PlacedCompute::status)
        .filter(status -> status.branch().equals(branch))
        .max(Comparator.comparing(ComputeStatus::generation))
        .map(newest -> of(newest, generation))
        .orElse(ABSENT);
  }

  private static Sighting of(ComputeStatus newest, Generation generation) {
    int order = newest.generation().compareTo(generation);
    if (order > 0) {
      return REPLACED;
    }
    return order == 0 && newest.state() != ComputeStatus.State.FAILED ? ANNOUNCED : ABSENT;
  }
}
