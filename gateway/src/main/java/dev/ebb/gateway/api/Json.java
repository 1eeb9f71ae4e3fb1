package dev.ebb.gateway.api;

import dev.ebb.shared.bus.ComputeMessage.BranchReplaced;
import dev.ebb.shared.bus.ComputeMessage.BranchesDescribed;
import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicasChanged;
import dev.ebb.shared.bus.ComputeMessage.Suspended;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.BranchTree;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.fleet.FleetView.PlacedCompute;
import dev.ebb.shared.fleet.FleetView.PlacedReplica;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Cidr;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.ReplicaStatus;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** The answers' forms, as openapi.yaml has them. */
final class Json {
  private Json() {}

  static JsonObject database(DatabaseRecord database, FleetView fleet) {
    var branches = new JsonArray();
    new TreeMap<>(database.branches())
        .forEach((name, branch) -> branches.add(branch(database.tree(), name, branch, fleet)));
    var json = new JsonObject();
    json.put("id", database.id().value())
        .put("name", database.name())
        .put("owner", database.owner())
        .put("postgresVersion", database.postgres().number())
        .put("state", lower(database.state()))
        .put("created", Instant.ofEpochMilli(database.createdEpochMs()).toString());
    if (!database.allowed().isEmpty()) {
      json.put("allowed", new JsonArray(database.allowed().stream().map(Cidr::toString).toList()));
    }
    return json.put("branches", branches);
  }

  static JsonObject branch(BranchTree tree, String name, BranchRecord branch, FleetView fleet) {
    BranchId parent = branch.parent();
    String state =
        switch (branch.state()) {
          case READY ->
              fleet
                  .compute(branch.id())
                  .map(compute -> lower(compute.status().state()))
                  .orElse("suspended");
          case CREATING, DROPPING -> lower(branch.state());
        };
    var json =
        new JsonObject()
            .put("id", branch.id().value())
            .put("name", name)
            .put("state", state)
            .put("created", Instant.ofEpochMilli(branch.createdEpochMs()).toString())
            .put("protected", branch.isProtected())
            .put("replicas", branch.replicas());
    if (parent != null) {
      json.put("parent", tree.nameOf(parent).orElse(""))
          .put("forkLsn", branch.forkLsn().toString());
    }
    fleet.compute(branch.id()).ifPresent(compute -> json.put("host", compute.host().value()));
    return json;
  }

  /** The branches of a database, with what they hold where that is known. */
  static JsonObject branches(
      DatabaseRecord database, FleetView fleet, BranchesDescribed described) {
    var sizes = new HashMap<BranchId, BranchesDescribed.BranchSize>();
    described.branches().forEach(size -> sizes.put(size.branch(), size));
    var branches = new JsonArray();
    new TreeMap<>(database.branches())
        .forEach((name, branch) -> {
          JsonObject json = branch(database.tree(), name, branch, fleet);
          var size = sizes.get(branch.id());
          if (size != null) {
            json.put("logicalBytes", size.logicalBytes())
                .put("ownBytes", size.ownBytes())
                .put("snapshotLsn", size.endLsn().toString());
          }
          branches.add(json);
        });
    return new JsonObject().put("database", database.name()).put("branches", branches);
  }

  static JsonObject replaced(BranchReplaced replaced) {
    var json =
        new JsonObject()
            .put("branch", replaced.branch().value())
            .put("forkLsn", replaced.forkLsn().toString());
    return replaced.keptAs().isEmpty() ? json : json.put("keptAs", replaced.keptAs());
  }

  static JsonObject suspended(Suspended suspended) {
    return new JsonObject()
        .put("wasRunning", suspended.wasRunning())
        .put("endLsn", suspended.endLsn().toString())
        .put("captureMicros", suspended.captureMicros());
  }

  static JsonObject awake(ComputeReady ready) {
    var parts = ready.parts();
    return new JsonObject()
        .put("branch", ready.branch().value())
        .put("generation", ready.generation().value())
        .put("host", ready.host().value())
        .put("address", ready.address())
        .put("port", ready.port())
        .put("started", ready.started())
        .put(
            "parts",
            new JsonObject()
                .put("headMicros", parts.headMicros())
                .put("manifestMicros", parts.manifestMicros())
                .put("logMicros", parts.logMicros())
                .put("skeletonMicros", parts.skeletonMicros())
                .put("postgresMicros", parts.postgresMicros())
                .put("totalMicros", parts.totalMicros()));
  }

  /**
   * What runs.
   *
   * @param databases where the names of computes are looked up that do not tell theirs
   */
  static JsonObject fleet(FleetView fleet, List<DatabaseRecord> databases) {
    var names = new HashMap<BranchId, BranchAddress>();
    databases.forEach(database -> names.putAll(database.addresses()));
    var computes = new JsonArray();
    fleet.computes().forEach(compute -> computes.add(compute(compute, names)));
    fleet.replicas().forEach(replica -> computes.add(replica(replica, names)));
    var hosts = new JsonArray();
    fleet.hosts().forEach(host -> hosts.add(host(host)));
    return new JsonObject().put("computes", computes).put("hosts", hosts);
  }

  private static JsonObject host(HostAnnouncement host) {
    return new JsonObject()
        .put("id", host.host().value())
        .put("address", host.address())
        .put("room", host.room())
        .put("capacity", host.capacity())
        .put("leaving", host.leaving());
  }

  /** What begins the object of a compute, which may not know its own name yet. */
  private static JsonObject named(
      BranchId id, String database, String branch, Map<BranchId, BranchAddress> names) {
    BranchAddress found = database.isEmpty() ? names.get(id) : null;
    return new JsonObject()
        .put("database", found == null ? database : found.database())
        .put("branch", found == null ? branch : found.branch())
        .put("branchId", id.value());
  }

  private static JsonObject compute(PlacedCompute placed, Map<BranchId, BranchAddress> names) {
    ComputeStatus status = placed.status();
    return named(status.branch(), status.databaseName(), status.branchName(), names)
        .put("kind", "primary")
        .put("generation", status.generation().value())
        .put("state", lower(status.state()))
        .put("host", placed.host().value())
        .put("address", placed.address())
        .put("port", status.port())
        .put("pid", status.pid())
        .put("uptimeMs", status.uptimeMs())
        .put("idleMs", status.idleMs())
        .put("connections", status.connections())
        .put("activeStatements", status.activeStatements())
        .put("openTransactions", status.openTransactions())
        .put("replicationConnections", status.replicationConnections())
        .put("commits", status.commits())
        .put("residentBytes", status.residentBytes())
        .put("hydratedBytes", status.hydratedBytes())
        .put("bootBytes", status.bootBytes())
        .put("walLsn", status.walLsn().toString())
        .put("durableLsn", status.durableLsn().toString());
  }

  static JsonObject replica(PlacedReplica placed, Map<BranchId, BranchAddress> names) {
    ReplicaStatus status = placed.status();
    return named(status.branch(), status.databaseName(), status.branchName(), names)
        .put("kind", "replica")
        .put("replica", status.replica().value())
        .put("state", lower(status.state()))
        .put("host", placed.host().value())
        .put("address", placed.address())
        .put("port", status.port())
        .put("pid", status.pid())
        .put("uptimeMs", status.uptimeMs())
        .put("connections", status.connections())
        .put("activeStatements", status.activeStatements())
        .put("openTransactions", status.openTransactions())
        .put("residentBytes", status.residentBytes())
        .put("hydratedBytes", status.hydratedBytes())
        .put("replayedLsn", status.replayedLsn().toString())
        .put("durableLsn", status.durableLsn().toString())
        .put("lagBytes", status.lagBytes())
        .put("lagMs", status.lagMs())
        .put("conflicts", status.conflicts());
  }

  /** The replicas of one branch. */
  static JsonObject replicas(DatabaseRecord database, String name, FleetView fleet) {
    BranchRecord branch = database.tree().require(name);
    var running = new JsonArray();
    fleet
        .replicas(branch.id())
        .forEach(replica -> running.add(replica(replica, database.addresses())));
    return new JsonObject()
        .put("database", database.name())
        .put("branch", name)
        .put("wanted", branch.replicas())
        .put("replicas", running);
  }

  static JsonObject changed(ReplicasChanged changed) {
    var ids = new JsonArray();
    changed.changed().forEach(replica -> ids.add(replica.value()));
    return new JsonObject()
        .put("branch", changed.branch().value())
        .put("wanted", changed.wanted())
        .put("changed", ids);
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
