package dev.ebb.computeservice.provision;

import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.placement.Placement;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView.PlacedReplica;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.ReplicaId;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes away what a branch consists of. Every step may be repeated. */
final class BranchRemoval {
  private static final Logger log = LoggerFactory.getLogger(BranchRemoval.class);
  private static final long TIMEOUT_MS = 30_000;
  private static final long REPLICA_TIMEOUT_MS = 10_000;

  /** Nothing is stored of a branch without a head: whose it was does not matter. */
  private static final DatabaseId UNKNOWN = new DatabaseId("unknown");

  private final BlockingBus bus;
  private final BranchHeads heads;
  private final Host host;
  private final Consumer<BranchId> replicas;
  private final Placement placement;

  /**
   * @param replicas ends this host's replicas of a branch
   */
  BranchRemoval(
      BlockingBus bus,
      BranchHeads heads,
      Host host,
      Consumer<BranchId> replicas,
      Placement placement) {
    this.replicas = replicas;
    this.bus = bus;
    this.heads = heads;
    this.host = host;
    this.placement = placement;
  }

  /**
   * Ends the branch for good.
   *
   * @param objectsInUse whether other branches may refer to its objects: they stay then, for the
   *     garbage collection to find
   */
  void remove(BranchId branch, boolean objectsInUse) {
    // The tombstone first: from here on nothing can start or commit. Where there is no head, the
    // branch may be in the making at a host that is slow: it makes none any more. A collection
    // deletes the topic once more before it clears the tombstone away.
    if (!heads.drop(branch) && !heads.bury(branch, UNKNOWN)) {
      heads.drop(branch);
    }
    discard(branch);
    bus.call(Addresses.WAL, new WalMessage.DeleteLog(branch), TIMEOUT_MS);
    if (!objectsInUse) {
      bus.call(Addresses.PAGE, new PageMessage.DeleteBranchObjects(branch), TIMEOUT_MS);
    }
  }

  private void discard(BranchId branch) {
    host.discard(branch);
    HostId owner = placement.owner(branch).orElse(host.id());
    if (!owner.equals(host.id())) {
      bus.call(Addresses.host(owner), new ComputeMessage.DiscardBranch(branch), TIMEOUT_MS);
    }
    endReplicas(branch);
  }

  /**
   * Ends the replicas of a branch that nobody is to read under its name any more. A host that does
   * not answer holds nothing up: behind a tombstone a replica ends by itself, and elsewhere those
   * that nobody wants are looked for again and again.
   */
  void endReplicas(BranchId branch) {
    replicas.accept(branch);
    for (PlacedReplica replica : placement.replicas(branch)) {
      if (!replica.host().equals(host.id())) {
        ReplicaId id = replica.status().replica();
        try {
          bus.call(
              Addresses.host(replica.host()),
              new ComputeMessage.StopReplica(id),
              REPLICA_TIMEOUT_MS);
        } catch (EbbException e) {
          log.warn("replica {} of branch {} ends a little later: {}", id, branch, e.getMessage());
        }
      }
    }
  }
}
