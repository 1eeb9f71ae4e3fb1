package dev.ebb.gateway.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.store.LocalObjectStore;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CatalogDirectoryTest {
  private static final DatabaseId SHOP = new DatabaseId("shop1");
  private static final BranchId MAIN = new BranchId("main1");
  private static final BranchId DEV = new BranchId("dev1");
  private static final BranchAddress DEV_ADDRESS = new BranchAddress("shop", "dev");

  @TempDir private Path directory;

  @SuppressWarnings("NullAway.Init")
  private Catalog catalog;

  @SuppressWarnings("NullAway.Init")
  private CatalogDirectory branches;

  @BeforeEach
  void create() {
    var store = new LocalObjectStore(directory);
    catalog = new Catalog(store);
    branches = new CatalogDirectory(store);
    catalog.create(DatabaseRecord.creating(SHOP, "shop", "app", 1, MAIN));
  }

  @Test
  void whoConnectsToWhatIsBeingCreatedIsToldWhatToDo() {
    assertThatThrownBy(() -> branches.find(new BranchAddress("shop", "main")))
        .isInstanceOf(UnfinishedException.class)
        .hasMessageContaining("connect again in a moment")
        .hasMessageContaining("ebb db drop shop");

    catalog.markReady("shop", SHOP);
    catalog.changeBranches(
        "shop", SHOP, tree -> tree.add("dev", BranchRecord.creating(DEV, MAIN, 2)));

    assertThatThrownBy(() -> branches.find(DEV_ADDRESS))
        .isInstanceOf(UnfinishedException.class)
        .hasMessageContaining("\"shop@dev\" is still being created")
        .hasMessageContaining("ebb branch drop shop@dev");
  }

  @Test
  void branchThatIsBeingDroppedIsGone() {
    catalog.markReady("shop", SHOP);
    catalog.changeBranches(
        "shop",
        SHOP,
        tree -> tree.add("dev", BranchRecord.creating(DEV, MAIN, 2)).dropping("dev", DEV, false));

    assertThat(branches.find(DEV_ADDRESS)).isEmpty();
    assertThat(branches.find(new BranchAddress("shop", "main"))).contains(MAIN);
  }
}
