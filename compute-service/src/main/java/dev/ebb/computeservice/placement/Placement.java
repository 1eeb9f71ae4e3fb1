package dev.ebb.computeservice.placement;

import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.HostId;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Chooses the host for a branch. Every host chooses alike from the same announcements (rendezvous
 * hashing), so that two wakes of one branch that reach different hosts at once meet at one. Where
 * announcements differ they may not: then two primaries start, and the newer generation fences the
 * older one.
 */
public final class Placement {
  private final FleetView fleet;

  public Placement(FleetView fleet) {
    this.fleet = fleet;
  }

  /** Every host that is alive, as it was announced last. */
  public List<HostAnnouncement> hosts() {
    return fleet.hosts();
  }

  /** The branch's compute as it was announced last; empty where none runs. */
  public Optional<FleetView.PlacedCompute> compute(BranchId branch) {
    return fleet.compute(branch);
  }

  /** The branch's replicas as they were announced last. */
  public List<FleetView.PlacedReplica> replicas(BranchId branch) {
    return fleet.replicas(branch);
  }

  /** The host that runs the branch, where one does. */
  public Optional<HostId> owner(BranchId branch) {
    return fleet.compute(branch).map(FleetView.PlacedCompute::host);
  }

  /** The host that runs the branch, else one with room; empty where no host has any. */
  public Optional<HostId> hostFor(BranchId branch) {
    Optional<HostId> owner = owner(branch);
    if (owner.isPresent()) {
      return owner;
    }
    return fleet.hosts().stream()
        .filter(host -> host.room() > 0 && !host.leaving())
        .map(HostAnnouncement::host)
        .max(
            Comparator.comparingLong((HostId host) -> weight(branch, host))
                .thenComparing(HostId::value));
  }

  /** 64 well-mixed bits of both ids: the finaliser of SplitMix64 over their hash codes. */
  private static long weight(BranchId branch, HostId host) {
    long z = ((long) branch.value().hashCode() << 32) ^ host.value().hashCode();
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
