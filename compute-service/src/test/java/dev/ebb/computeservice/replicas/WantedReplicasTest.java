package dev.ebb.computeservice.replicas;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.store.LocalObjectStore;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class WantedReplicasTest {
  @TempDir private Path directory;

  private final BranchId branch = BranchId.random();
  private final DatabaseId database = DatabaseId.random();
  private Catalog catalog;
  private WantedReplicas wanted;

  @BeforeEach
  void make() {
    catalog = new Catalog(new LocalObjectStore(directory));
    wanted = new WantedReplicas(catalog);
    catalog.create(DatabaseRecord.creating(database, "shop", "app", 1, branch));
    catalog.markReady("shop", database);
  }

  private void want(int count) {
    catalog.changeBranches("shop", database, tree -> tree.replicas("main", branch, count));
  }

  @Test
  void whatTheCatalogSaysIsWanted() {
    wanted.refresh();
    assertThat(wanted.all()).isEmpty();
    want(2);
    wanted.refresh();
    assertThat(wanted.all()).isEqualTo(Map.of(branch, 2));
    // The same length, perhaps in the same tick of the clock.
    want(3);
    wanted.refresh();
    wanted.refresh();
    wanted.refresh();
    assertThat(wanted.all()).isEqualTo(Map.of(branch, 3));
    want(0);
    wanted.refresh();
    assertThat(wanted.all()).isEmpty();
  }

  @Test
  void catalogIsAskedBeforeAnythingIsDone() {
    want(2);
    wanted.refresh();
    want(1);

    assertThat(wanted.now(branch)).isEqualTo(1);
    assertThat(wanted.now(BranchId.random())).as("not known before").isZero();
  }

  @Test
  void nothingIsWantedOfWhatIsBeingDropped() {
    want(2);
    wanted.refresh();
    catalog.markDropping("shop", database);

    assertThat(wanted.now(branch)).isZero();
    catalog.remove("shop", database);
    wanted.refresh();
    assertThat(wanted.all()).isEmpty();
  }
}
