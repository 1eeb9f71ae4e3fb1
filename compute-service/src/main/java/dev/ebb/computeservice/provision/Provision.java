package dev.ebb.computeservice.provision;

import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.lifecycle.Replicas;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.placement.Placement;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.store.ObjectStore;
import java.time.Clock;
import java.util.function.Function;

/** What makes and drops databases and their branches at a host, and clears up. */
public record Provision(
    DatabaseProvisioner databases, BranchProvisioner branches, Leftovers leftovers) {

  /**
   * Ties it together.
   *
   * @param pitrWindowMs how far back {@code --at} reaches
   */
  public static Provision of(
      BlockingBus bus,
      ObjectStore store,
      PageClient pages,
      Host host,
      Replicas replicas,
      Placement placement,
      Function<PostgresMajor, TemplateProvisioner.Template> template,
      long pitrWindowMs,
      Clock clock) {
    var catalog = new Catalog(store);
    var heads = new BranchHeads(store);
    var removal = new BranchRemoval(bus, heads, host, replicas::discard, placement);
    var forks =
        new BranchForks(
            bus,
            heads,
            pages,
            SnapshotHistory.unexpired(clock, pitrWindowMs),
            placement::compute,
            new SystemIdentifiers(clock),
            clock);
    var databases = new DatabaseProvisioner(bus, catalog, heads, host, removal, template, clock);
    var branches =
        new BranchProvisioner(
            bus, store, catalog, heads, pages, host, placement, forks, removal, clock);
    var clearing =
        new Leftovers.Clearing() {
          @Override
          public void clear(DatabaseRecord database) {
            databases.clear(database);
          }

          @Override
          public void clear(DatabaseRecord database, String name, BranchRecord branch) {
            branches.clear(database, name, branch.id());
          }
        };
    return new Provision(databases, branches, new Leftovers(catalog, clearing, System::nanoTime));
  }
}
