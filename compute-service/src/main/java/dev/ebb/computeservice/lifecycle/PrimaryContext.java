package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.ComputeServiceConfig;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import io.vertx.core.Vertx;
import java.util.Map;
import java.util.Optional;

/** What every primary of a host shares. */
public record PrimaryContext(
    Vertx vertx,
    BlockingBus bus,
    ComputeServiceConfig config,
    Catalog catalog,
    BranchHeads heads,
    PageClient pages,
    AdminPasswords passwords,
    PostgresInstances instances) {

  /** How people call a branch; walks the catalog, so not on the way of a wake. */
  Optional<BranchAddress> addressOf(BranchId branch) {
    for (DatabaseRecord database : catalog.list()) {
      for (Map.Entry<String, BranchId> named : database.branches().entrySet()) {
        if (named.getValue().equals(branch)) {
          return Optional.of(new BranchAddress(database.name(), named.getKey()));
        }
      }
    }
    return Optional.empty();
  }
}
