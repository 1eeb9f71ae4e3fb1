package dev.ebb.computeservice.replicas;

import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.fleet.FleetView.PlacedReplica;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.HostId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Where replicas go, and which of them go first. Pure. */
final class ReplicaPlan {
  /** Replicas leave so many places of a host to primaries: those cannot wake elsewhere at will. */
  private static final int LEFT_FREE = 1;

  private ReplicaPlan() {}

  /**
   * Hosts for so many more replicas of a branch, one after the other: each where there are fewest
   * computes of the branch yet, then where there is most room. The last place of a host is not
   * theirs.
   *
   * @param present those that it has
   * @return fewer where there is no more room
   */
  static List<HostId> hosts(
      BranchId branch, int count, List<HostAnnouncement> hosts, List<PlacedReplica> present) {
    Map<HostId, Integer> room = new HashMap<>();
    Map<HostId, Integer> own = new HashMap<>();
    for (HostAnnouncement host : hosts) {
      if (!host.leaving()) {
        room.put(host.host(), host.room());
        own.put(
            host.host(),
            (int) host.computes().stream().filter(c -> c.branch().equals(branch)).count());
      }
    }
    present.forEach(replica -> own.merge(replica.host(), 1, Integer::sum));
    var chosen = new ArrayList<HostId>();
    for (int i = 0; i < count; i++) {
      Optional<HostId> best =
          room.keySet().stream()
              .filter(host -> room.getOrDefault(host, 0) > LEFT_FREE)
              .min(
                  Comparator.comparingInt((HostId host) -> own.getOrDefault(host, 0))
                      .thenComparingInt(host -> -room.getOrDefault(host, 0))
                      .thenComparing(HostId::value));
      if (best.isEmpty()) {
        break;
      }
      chosen.add(best.get());
      room.merge(best.get(), -1, Integer::sum);
      own.merge(best.get(), 1, Integer::sum);
    }
    return List.copyOf(chosen);
  }

  /**
   * The replicas to end, where there are to be so many fewer: those that serve nobody yet, then
   * those with the fewest sessions, then the youngest.
   */
  static List<PlacedReplica> surplus(List<PlacedReplica> present, int count) {
    return present.stream()
        .sorted(
            Comparator.comparing(
                    (PlacedReplica r) -> r.status().state() == ComputeStatus.State.RUNNING)
                .thenComparingInt(r -> r.status().connections())
                .thenComparingLong(r -> r.status().uptimeMs())
                .thenComparing(r -> r.status().replica().value()))
        .limit(count)
        .toList();
  }
}
