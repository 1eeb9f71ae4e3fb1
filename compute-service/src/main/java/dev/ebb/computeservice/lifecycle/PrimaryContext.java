package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.ComputeServiceConfig;
import dev.ebb.computeservice.capture.CaptureMeters;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import io.vertx.core.Vertx;
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
    PostgresInstances instances,
    CaptureMeters captureMeters) {

  /** How people call a branch; walks the catalog, so not on the way of a wake. */
  Optional<BranchAddress> addressOf(BranchId branch) {
    return catalog.list().stream()
        .flatMap(database -> Optional.ofNullable(database.addresses().get(branch)).stream())
        .findFirst();
  }
}
