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
    return manifest(snapshot, REDO, END, true, 17, List.of());
  }

  private Manifest manifest(
      SnapshotId id, Lsn redo, Lsn end, boolean clean, long hint, List<Manifest.Ancestor> history) {
    return new Manifest(
        id,
        branch,
        new Generation(3),
        180006,
        41,
        1 << 20,
        1,
        redo,
        redo,
        end,
        clean,
        2,
        List.of(),
        List.of(),
        List.of(),
        List.of(new Manifest.WalPiece(new Lsn(0x2000000), new byte[] {1, 2})),
        "",
        List.of(),
        List.of(),
        hint,
        0,
        history,
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

  /** A standby asks from a segment's beginning, before the newest snapshot's redo point. */
  @Test
  void earlierSnapshotsTellWhereTheTopicIsReadFrom() {
    new Catalog(store).markReady("shop", database);
    var inherited = new Manifest.Ancestor("branches/parent/manifests/x", snapshot, at(1), at(2), 0);
    Manifest.Ancestor early = stored(at(100), at(150), true, 5);
    Manifest.Ancestor middle = stored(at(200), at(250), false, 9);
    var gone =
        new Manifest.Ancestor(
            BranchKeys.manifest(branch, SnapshotId.random()), snapshot, at(300), at(350), 0);
    var newest = SnapshotId.random();
    String key = BranchKeys.manifest(branch, newest);
    store.put(
        key,
        ManifestCodec.encode(
            manifest(
                newest, at(400), at(450), false, 20, List.of(inherited, early, middle, gone))));
    new BranchHeads(store).commitSnapshot(branch, new Generation(3), key, false, Lsn.INVALID);

    ServedBranch.Hints hints = branches.find("shop").hints();
    assertThat(hints.before(at(400))).contains(new ServedBranch.Hint(20, at(400)));
    assertThat(hints.before(at(399))).contains(new ServedBranch.Hint(9, at(200)));
    assertThat(hints.before(at(199)))
        .as("at a clean stop's end, not before")
        .contains(new ServedBranch.Hint(5, at(150)));
    assertThat(hints.before(at(149))).isEmpty();
    assertThat(hints.before(at(50))).as("of another log").isEmpty();
  }

  private static Lsn at(long position) {
    return END.plus(position);
  }

  private Manifest.Ancestor stored(Lsn redo, Lsn end, boolean clean, long hint) {
    var id = SnapshotId.random();
    String key = BranchKeys.manifest(branch, id);
    store.put(key, ManifestCodec.encode(manifest(id, redo, end, clean, hint, List.of())));
    return new Manifest.Ancestor(key, id, redo, end, 0);
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
