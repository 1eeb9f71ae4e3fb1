package dev.ebb.shared.fleet;

import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.ReplicaStatus;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The fleet as its hosts announce it: feed it every announcement, ask it what runs where. A host
 * that has said nothing for {@link #EXPIRY} is gone. Knows nothing of the bus; may be used from any
 * thread.
 */
public final class FleetView {
  /** Three announcements missed. */
  public static final Duration EXPIRY = Duration.ofSeconds(3);

  private final Clock clock;
  private final Map<HostId, Heard> byHost = new ConcurrentHashMap<>();

  private final Map<HostId, HeardReplicas> replicasByHost = new ConcurrentHashMap<>();

  private record Heard(HostAnnouncement announcement, Instant at) {}

  private record HeardReplicas(ReplicaAnnouncement announcement, Instant at) {}

  /**
   * A replica and where it runs.
   *
   * @param address of the host; with the status' port, where clients connect
   */
  public record PlacedReplica(HostId host, String address, ReplicaStatus status) {}

  /**
   * A compute and where it runs.
   *
   * @param address of the host; with the status' port, where clients connect
   */
  public record PlacedCompute(HostId host, String address, ComputeStatus status) {}

  public FleetView(Clock clock) {
    this.clock = clock;
  }

  /** Takes the place of what the host said before. */
  public void accept(HostAnnouncement announcement) {
    Instant now = clock.instant();
    byHost.put(announcement.host(), new Heard(announcement, now));
    byHost.values().removeIf(heard -> isExpired(heard, now));
  }

  /** Takes the place of what the host said of its replicas before. */
  public void accept(ReplicaAnnouncement announcement) {
    Instant now = clock.instant();
    replicasByHost.put(announcement.host(), new HeardReplicas(announcement, now));
    replicasByHost.values().removeIf(heard -> heard.at().plus(EXPIRY).isBefore(now));
  }

  /** Every replica of the hosts that are alive, in order of database, branch and id. */
  public List<PlacedReplica> replicas() {
    Instant now = clock.instant();
    return replicasByHost.values().stream()
        .filter(heard -> !heard.at().plus(EXPIRY).isBefore(now))
        .map(HeardReplicas::announcement)
        .flatMap(host ->
            host.replicas().stream()
                .map(status -> new PlacedReplica(host.host(), host.address(), status)))
        .sorted(
            Comparator.comparing((PlacedReplica replica) -> replica.status().databaseName())
                .thenComparing(replica -> replica.status().branchName())
                .thenComparing(replica -> replica.status().replica().value()))
        .toList();
  }

  /** Those of a branch, whatever their state. */
  public List<PlacedReplica> replicas(BranchId branch) {
    return replicas().stream().filter(replica -> replica.status().branch().equals(branch)).toList();
  }

  /** The newest announcement of each host that is alive, in order of host id. */
  public List<HostAnnouncement> hosts() {
    Instant now = clock.instant();
    return byHost.values().stream()
        .filter(heard -> !isExpired(heard, now))
        .map(Heard::announcement)
        .sorted(Comparator.comparing(host -> host.host().value()))
        .toList();
  }

  /** Every compute of the hosts that are alive, in order of database and branch name. */
  public List<PlacedCompute> computes() {
    return hosts().stream()
        .flatMap(host ->
            host.computes().stream()
                .map(status -> new PlacedCompute(host.host(), host.address(), status)))
        .sorted(
            Comparator.comparing((PlacedCompute compute) -> compute.status().databaseName())
                .thenComparing(compute -> compute.status().branchName())
                .thenComparing(compute -> compute.status().generation()))
        .toList();
  }

  /** The branch's compute of the highest generation; empty where none is known. */
  public Optional<PlacedCompute> compute(BranchId branch) {
    return computes().stream()
        .filter(compute -> compute.status().branch().equals(branch))
        .max(Comparator.comparing(compute -> compute.status().generation()));
  }

  private static boolean isExpired(Heard heard, Instant now) {
    return heard.at().plus(EXPIRY).isBefore(now);
  }
}
