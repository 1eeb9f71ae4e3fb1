package dev.ebb.computeservice.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.store.InMemoryObjectStore;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Who came by a name must not stay with a branch that it does not mean any more. */
final class BranchNameTest {
  private static final DatabaseId SHOP = new DatabaseId("shop1");
  private static final BranchId OLD = new BranchId("old");
  private static final BranchId FRESH = new BranchId("fresh");
  private static final BranchAddress MAIN = new BranchAddress("shop", "main");
  private static final BranchAddress KEPT = new BranchAddress("shop", "main-before");

  private final Catalog catalog = new Catalog(new InMemoryObjectStore());
  private final BranchName name = new BranchName(OLD, catalog);

  @BeforeEach
  void create() {
    catalog.create(DatabaseRecord.creating(SHOP, "shop", "app", 1, OLD));
    catalog.markReady("shop", SHOP);
  }

  private void restore() {
    catalog.changeBranches(
        "shop",
        SHOP,
        tree ->
            tree.add("tmp", BranchRecord.creating(FRESH, OLD, 2))
                .ready("tmp", FRESH, new Lsn(8))
                .replace("main", OLD, "tmp", FRESH, "main-before", false));
  }

  @Test
  void nameIsWhatTheCatalogSays() {
    assertThat(name.known()).isNull();
    assertThat(name.is(KEPT)).isFalse();
    assertThat(name.is(MAIN)).isTrue();
    assertThat(name.known()).isEqualTo(MAIN);
    assertThat(name.isTaken()).isFalse();
  }

  @Test
  void startBehindARestoreIsNotForWhomComesByTheOldName() {
    restore();

    assertThat(name.is(MAIN)).isFalse();
    assertThat(name.is(KEPT)).isTrue();
    assertThat(BranchName.means(catalog, MAIN, FRESH)).isTrue();
  }

  @Test
  void primaryThatNobodyEndedNoticesThatItsNameIsTaken() {
    name.set(MAIN);
    restore();

    assertThat(name.isTaken()).isTrue();
  }

  @Test
  void renamedBranchFollowsItsName() {
    restore();
    name.resolve();
    assertThat(name.known()).isEqualTo(KEPT);

    catalog.changeBranches("shop", SHOP, tree -> tree.rename("main-before", OLD, "archive"));

    assertThat(name.isTaken()).isFalse();
    assertThat(name.known()).isEqualTo(new BranchAddress("shop", "archive"));
  }
}
