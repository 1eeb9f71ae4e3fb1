package dev.ebb.computeservice.provision;

import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.placement.Placement;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.store.ObjectStore;
import java.time.Clock;
import java.util.function.Supplier;

/** What makes and drops databases and their branches at a host. */
public record Provision(DatabaseProvisioner databases, BranchProvisioner branches) {

  /** Ties it together. */
  public static Provision of(
      BlockingBus bus,
      ObjectStore store,
      PageClient pages,
      Host host,
      Placement placement,
      Supplier<TemplateProvisioner.Template> template,
      Clock clock) {
    var catalog = new Catalog(store);
    var heads = new BranchHeads(store);
    var removal = new BranchRemoval(bus, heads, host, placement);
    var forks =
        new BranchForks(
            bus,
            heads,
            pages,
            SnapshotHistory::listed,
            placement::compute,
            new SystemIdentifiers(clock),
            clock);
    return new Provision(
        new DatabaseProvisioner(bus, catalog, heads, host, removal, template, clock),
        new BranchProvisioner(bus, store, catalog, heads, pages, host, forks, removal, clock));
  }
}
