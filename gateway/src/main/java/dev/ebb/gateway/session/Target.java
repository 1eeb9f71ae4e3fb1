package dev.ebb.gateway.session;

import dev.ebb.gateway.route.ReplicaRoutes;
import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import org.jspecify.annotations.Nullable;

/**
 * The compute that a session is for.
 *
 * @param generation of a primary; null for a replica, which no generation takes over from
 * @param place of a replica, to be closed when the session ends; null for a primary
 * @param started whether it was started for this session
 */
record Target(
    BranchId branch,
    String address,
    int port,
    @Nullable Generation generation,
    ReplicaRoutes.@Nullable Place place,
    boolean started) {

  static Target of(ComputeReady primary) {
    return new Target(
        primary.branch(),
        primary.address(),
        primary.port(),
        primary.generation(),
        null,
        primary.started());
  }

  static Target of(BranchId branch, ReplicaRoutes.Place replica) {
    return new Target(branch, replica.address(), replica.port(), null, replica, false);
  }

  boolean isReplica() {
    return place != null;
  }

  /** No session could be opened: the next one is better off elsewhere. */
  void failed() {
    if (place != null) {
      place.failed();
    }
  }

  /** The session is over. */
  void leave() {
    if (place != null) {
      place.close();
    }
  }
}
