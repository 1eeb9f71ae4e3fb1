package dev.ebb.computeservice.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.store.LocalObjectStore;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FollowedSnapshotTest {
  private static final Generation FIRST = new Generation(1);

  @TempDir private Path directory;

  private final BranchId branch = BranchId.random();
  private final Map<String, Manifest> manifests = new HashMap<>();
  private BranchHeads heads;
  private FollowedSnapshot followed;
  private String begin;

  @BeforeEach
  void begin() {
    heads = new BranchHeads(new LocalObjectStore(directory));
    begin = snapshot(SnapshotId.random(), 1_000);
    var head =
        new BranchHead(1, branch, DatabaseId.random(), 42, FIRST, begin, false, Lsn.INVALID, false);
    heads.create(head);
    followed = new FollowedSnapshot(head, manifest(begin), heads, this::manifest);
  }

  private String snapshot(SnapshotId id, long end) {
    String key = BranchKeys.manifest(branch, id);
    manifests.put(key, manifest(id, end));
    return key;
  }

  private Manifest manifest(String key) {
    return Objects.requireNonNull(manifests.get(key), key);
  }

  private Manifest manifest(SnapshotId id, long end) {
    return new Manifest(
        id,
        branch,
        FIRST,
        180006,
        42,
        4 << 20,
        1,
        new Lsn(end - 100),
        new Lsn(end - 100),
        new Lsn(end),
        false,
        2,
        List.of(),
        List.of(),
        List.of(),
        List.of(),
        "",
        List.of(),
        List.of(),
        -1,
        0,
        List.of(),
        new byte[0]);
  }

  private void commit(String key) {
    heads.commitSnapshot(branch, FIRST, key, false, Lsn.INVALID);
  }

  @Test
  void newerSnapshotIsReadOnceAllOfItIsReplayed() {
    String newer = snapshot(SnapshotId.random(), 2_000);
    commit(newer);

    assertThat(followed.follow()).isNotNull();
    assertThat(followed.read().key()).as("nothing is replayed").isEqualTo(begin);
    assertThat(followed.newestEnd()).isEqualTo(new Lsn(2_000));
    followed.replayed(new Lsn(1_999));
    followed.follow();
    assertThat(followed.read().key()).as("a byte short of its end").isEqualTo(begin);
    followed.replayed(new Lsn(2_000));
    followed.follow();
    assertThat(followed.read().key()).isEqualTo(newer);
  }

  @Test
  void snapshotThatIsGoneIsReadInItsSuccessorOnlyWhereThatIsNotAhead() {
    String newer = snapshot(SnapshotId.random(), 2_000);
    commit(newer);

    assertThatThrownBy(() -> followed.read().read(this::unlessFirst))
        .as("rather an error than pages from the future")
        .isInstanceOf(EbbException.NotFound.class);
    followed.replayed(new Lsn(2_000));
    assertThat(followed.read().read(this::unlessFirst)).isEqualTo(newer);
  }

  private String unlessFirst(String key) {
    if (key.equals(begin)) {
      throw new EbbException.NotFound(key + " was collected");
    }
    return key;
  }

  @Test
  void revisionOfTheSameSnapshotIsFollowedAtOnce() {
    String revision = begin + ".r1";
    manifests.put(revision, manifest(begin));
    commit(revision);

    followed.follow();
    assertThat(followed.read().key()).isEqualTo(revision);
  }

  @Test
  void droppedBranchIsTold() {
    heads.drop(branch);

    assertThat(followed.follow()).isNull();
    assertThat(followed.read().key()).isEqualTo(begin);
  }
}
