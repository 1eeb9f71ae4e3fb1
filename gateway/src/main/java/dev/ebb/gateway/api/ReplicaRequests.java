package dev.ebb.gateway.api;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage.AddReplicas;
import dev.ebb.shared.bus.ComputeMessage.RemoveReplicas;
import dev.ebb.shared.bus.ComputeMessage.ReplicasChanged;
import io.vertx.core.Future;
import io.vertx.core.json.JsonObject;
import org.jspecify.annotations.Nullable;

/** What the API does with replicas, apart from HTTP. */
final class ReplicaRequests {
  /** Above what a start may take. */
  private static final long TIMEOUT_MS = 110_000;

  private final Bus bus;

  ReplicaRequests(Bus bus) {
    this.bus = bus;
  }

  /** Completes when they serve. */
  Future<ReplicasChanged> add(String database, String branch, @Nullable JsonObject body) {
    int count = body == null ? 1 : body.getInteger("count", 1);
    return bus.request(Addresses.COMPUTE, new AddReplicas(database, branch, count), TIMEOUT_MS);
  }

  /** Completes when they are gone. */
  Future<ReplicasChanged> remove(String database, String branch, int count) {
    return bus.request(Addresses.COMPUTE, new RemoveReplicas(database, branch, count), TIMEOUT_MS);
  }
}
