package dev.ebb.walservice.send;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.LocalObjectStore;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CatalogBranchesTest {
  private static final Lsn REDO = new Lsn(0x2000028);
  private static final Lsn END = new Lsn(0x20000A0);

  @TempDir private Path directory;

  private final BranchId branch = BranchId.random();
  private final DatabaseId database = DatabaseId.random();
  private final SnapshotId snapshot = SnapshotId.random();
  private LocalObjectStore store;
  private CatalogBranches branches;

  @BeforeEach
  void make() {
    store = new LocalObjectStore(directory);
    branches = new CatalogBranches(store);
    var catalog = new Catalog(store);
    catalog.create(DatabaseRecord.creating(database, "shop", "app", 1, branch));
    String key = BranchKeys.manifest(branch, snapshot);
    store.put(key, ManifestCodec.encode(manifest()));
    new BranchHeads(store)
        .create(
            new BranchHead(
                1, branch, database, 42, new Generation(3), key, true, END.plus(8), false));
  }

  private Manifest manifest() {
    return new Manifest(
        snapshot,
        branch,
        new Generation(3),
        180006,
        41,
        1 << 20,
        1,
        REDO,
        REDO,
        END,
        true,
        2,
        List.of(),
        List.of(),
        List.of(),
        List.of(new Manifest.WalPiece(new Lsn(0x2000000), new byte[] {1, 2})),
        "",
        List.of(),
        List.of(),
        17,
        0,
        List.of(),
        new byte[0]);
  }

  @Test
  void branchIsNamedByItsAddressOrItsId() {
    assertThatThrownBy(() -> branches.find("shop"))
        .as("not yet ready")
        .isInstanceOf(EbbException.NotFound.class);
    new Catalog(store).markReady("shop", database);
    for (String user : List.of("shop", "shop@main", "@" + branch)) {
      ServedBranch found = branches.find(user);
      assertThat(found.id()).isEqualTo(branch);
      assertThat(found.systemIdentifier()).isEqualTo(42);
      assertThat(found.serverVersion()).isEqualTo("18.6");
      assertThat(found.majorVersion()).isEqualTo(18);
      assertThat(found.segmentBytes()).isEqualTo(1 << 20);
      assertThat(found.idleEnd()).isEqualTo(END.plus(8));
      assertThat(found.hints().before(END)).contains(new ServedBranch.Hint(17, END));
      assertThat(found.hints().before(REDO)).as("not known to be all there").isEmpty();
      assertThat(found.pieces()).hasSize(1);
    }
  }

  @Test
  void whatIsNoBranchIsNotFound() {
    new Catalog(store).markReady("shop", database);
    for (String user :
        List.of("", "shop@dev", "other", "@", "@nobody", "SHOP", "shop@main@x", "a/b", "\n")) {
      assertThatThrownBy(() -> branches.find(user))
          .as(user)
          .isInstanceOf(EbbException.NotFound.class);
    }
    new BranchHeads(store).drop(branch);
    assertThatThrownBy(() -> branches.find("shop")).isInstanceOf(EbbException.NotFound.class);
  }
}
