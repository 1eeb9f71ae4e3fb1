package dev.ebb.gateway.route;

import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.ObjectStore;
import java.util.Optional;

/** The branches of the catalog. */
public final class CatalogDirectory implements BranchDirectory {
  private final Catalog catalog;

  public CatalogDirectory(ObjectStore store) {
    this.catalog = new Catalog(store);
  }

  @Override
  public Optional<BranchId> find(BranchAddress address) {
    return locate(address).flatMap(Located::branch);
  }

  @Override
  public Optional<Located> locate(BranchAddress address) {
    return catalog
        .find(address.database())
        .map(database -> new Located(database.allowed(), () -> branch(database, address)));
  }

  private static Optional<BranchId> branch(DatabaseRecord database, BranchAddress address) {
    return switch (database.state()) {
      case READY ->
          Optional.ofNullable(database.branches().get(address.branch()))
              .flatMap(branch -> id(address, branch));
      case CREATING ->
          throw new UnfinishedException(
              "database \"" + address.database() + "\"", "ebb db drop " + address.database());
      case DROPPING -> Optional.empty();
    };
  }

  private static Optional<BranchId> id(BranchAddress address, BranchRecord branch) {
    return switch (branch.state()) {
      case READY -> Optional.of(branch.id());
      case CREATING ->
          throw new UnfinishedException("\"" + address + "\"", "ebb branch drop " + address);
      case DROPPING -> Optional.empty();
    };
  }
}
