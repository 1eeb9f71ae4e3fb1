package dev.ebb.pageservice.capture;

import static dev.ebb.pageservice.Instance.BRANCH;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.FaultyStore;
import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.Pages;
import dev.ebb.shared.bus.PageMessage.BootPages.Run;
import dev.ebb.shared.bus.PageMessage.CaptureCommitted;
import dev.ebb.shared.bus.PageMessage.CommitCapture;
import dev.ebb.shared.bus.PageMessage.OpenCapture;
import dev.ebb.shared.bus.PageMessage.PutPages;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.Manifest.BlockRun;
import dev.ebb.shared.store.InMemoryObjectStore;
import dev.ebb.shared.store.ObjectStore;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class CaptureTest {
  private static final FileKey HEAP = Pages.heap(1000);
  private static final FileKey TOAST = Pages.heap(1001);

  private final InMemoryObjectStore objects = new InMemoryObjectStore();
  private final FaultyStore store = new FaultyStore(objects);
  private final BranchHeads heads = new BranchHeads(objects);
  private final Instance instance = new Instance(store);

  @BeforeEach
  void createHead() {
    heads.create(Instance.head(1, ""));
  }

  @AfterEach
  void close() {
    instance.close();
  }

  private static BlockFile heap(int blocks) {
    return new BlockFile(HEAP, 1, blocks);
  }

  private Set<String> keys() {
    var keys = new TreeSet<String>();
    objects.list("branches/").forEach(listed -> keys.add(listed.key()));
    return keys;
  }

  private String headManifest() {
    return heads.read(BRANCH).orElseThrow().head().manifestKey();
  }

  /** Commits version {@code version} of {@code blocks} blocks of HEAP. */
  private CaptureCommitted commitVersion(int version, int from, int blocks, String base) {
    SnapshotId snapshot = instance.open(1, base);
    for (int block = from; block < blocks; block++) {
      instance.put(snapshot, HEAP, block, Pages.page(version, HEAP, block));
    }
    return instance.commit(snapshot, 1, heap(blocks));
  }

  @Test
  void committedPagesAreReadByAnInstanceThatKnowsOnlyTheHead() {
    CaptureCommitted committed = commitVersion(1, 0, 20, "");

    assertThat(committed.pages()).isEqualTo(20);
    assertThat(committed.endLsn()).isEqualTo(new Lsn(0x2000));
    try (var other = new Instance(objects)) {
      byte[] read = other.read(headManifest(), HEAP, 3, 2);
      assertThat(read).startsWith(Pages.page(1, HEAP, 3)).endsWith(Pages.page(1, HEAP, 4));
    }
  }

  @Test
  void newerSnapshotTakesWhatChangedFromItsOwnPackAndTheRestFromItsBase() {
    String first = commitVersion(1, 0, 10, "").manifestKey();
    SnapshotId snapshot = instance.open(1, first);
    instance.put(snapshot, HEAP, 4, Pages.page(2, HEAP, 4));
    instance.put(snapshot, HEAP, 10, Pages.zero());
    String second = instance.commit(snapshot, 1, heap(11)).manifestKey();

    assertThat(instance.read(second, HEAP, 4, 1)).isEqualTo(Pages.page(2, HEAP, 4));
    assertThat(instance.read(second, HEAP, 5, 1)).isEqualTo(Pages.page(1, HEAP, 5));
    assertThat(instance.read(second, HEAP, 10, 1)).isEqualTo(Pages.zero());
    assertThat(instance.read(first, HEAP, 4, 1)).isEqualTo(Pages.page(1, HEAP, 4));
  }

  @Test
  void captureLargerThanOnePackIsReadFromAllOfThem() {
    SnapshotId snapshot = instance.open(1, "");
    for (int block = 0; block < 400; block++) {
      instance.put(snapshot, HEAP, block, Pages.noise(block));
    }
    String key = instance.commit(snapshot, 1, heap(400)).manifestKey();

    assertThat(keys().stream().filter(k -> k.contains("/packs/"))).hasSizeGreaterThan(3);
    try (var other = new Instance(objects)) {
      for (int block = 0; block < 400; block += 100) {
        byte[] read = other.read(key, HEAP, block, 100);
        assertThat(read).startsWith(Pages.noise(block)).endsWith(Pages.noise(block + 99));
      }
    }
  }

  @Test
  void incarnationsOfOneFileAreNotMixed() {
    SnapshotId snapshot = instance.open(1, "");
    instance.captures.put(new PutPages(snapshot, HEAP, 1, 0, false, Pages.page(1, HEAP, 0)));
    instance.captures.put(new PutPages(snapshot, HEAP, 2, 0, false, Pages.page(2, HEAP, 0)));
    String key = instance.commit(snapshot, 1, new BlockFile(HEAP, 2, 1)).manifestKey();

    assertThat(instance.reader.read(key, new dev.ebb.pageservice.pack.FileId(HEAP, 2), 0, 1))
        .isEqualTo(Pages.page(2, HEAP, 0));
    assertThatThrownBy(() -> instance.read(key, HEAP, 0, 1))
        .isInstanceOf(EbbException.Invalid.class);
  }

  @Test
  void missingPageIsRefusedAndCanBePutBeforeTheNextTry() {
    SnapshotId snapshot = instance.open(1, "");
    instance.put(snapshot, HEAP, 0, Pages.page(1, HEAP, 0));

    assertThatThrownBy(() -> instance.commit(snapshot, 1, heap(2)))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("block 1 of base/16384/1000");

    instance.put(snapshot, HEAP, 1, Pages.page(1, HEAP, 1));
    assertThat(instance.commit(snapshot, 1, heap(2)).pages()).isEqualTo(2);
  }

  @Test
  void blockCutOffAndGrownAgainMustBePutAnew() {
    String full = commitVersion(1, 0, 10, "").manifestKey();
    SnapshotId truncated = instance.open(1, full);
    String cut = instance.commit(truncated, 1, heap(5)).manifestKey();
    SnapshotId grown = instance.open(1, cut);
    for (int block = 5; block < 7; block++) {
      instance.put(grown, HEAP, block, Pages.page(2, HEAP, block));
    }

    assertThatThrownBy(() -> instance.commit(grown, 1, heap(8)))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("block 7");
    assertThatThrownBy(() -> instance.read(cut, HEAP, 5, 1))
        .isInstanceOf(EbbException.Invalid.class);
  }

  @Test
  void repeatedCommitGivesTheSameAnswerHereAndElsewhere() {
    SnapshotId snapshot = instance.open(1, "");
    instance.put(snapshot, HEAP, 0, Pages.page(1, HEAP, 0));
    CaptureCommitted first = instance.commit(snapshot, 1, heap(1));

    assertThat(instance.commit(snapshot, 1, heap(1))).isEqualTo(first);
    try (var other = new Instance(objects)) {
      CaptureCommitted again = other.commit(snapshot, 1, heap(1));
      assertThat(again.manifestKey()).isEqualTo(first.manifestKey());
      assertThat(again.endLsn()).isEqualTo(first.endLsn());
    }
    assertThatThrownBy(() -> instance.put(snapshot, HEAP, 1, Pages.zero()))
        .isInstanceOf(EbbException.Conflict.class);
  }

  @Test
  void olderGenerationIsFencedAtOpenAndAtCommitAndLeavesNothing() {
    SnapshotId snapshot = instance.open(1, "");
    instance.put(snapshot, HEAP, 0, Pages.page(1, HEAP, 0));
    Set<String> before = Set.copyOf(keys());
    heads.openGeneration(BRANCH);

    assertThatThrownBy(() -> instance.commit(snapshot, 1, heap(1)))
        .isInstanceOf(EbbException.Fenced.class);
    assertThatThrownBy(() -> instance.open(1, "")).isInstanceOf(EbbException.Fenced.class);
    assertThat(keys()).isEqualTo(before);
    assertThatThrownBy(() -> instance.put(snapshot, HEAP, 1, Pages.zero()))
        .isInstanceOf(EbbException.Fenced.class);
  }

  @Test
  void captureThatAnotherOneOvertookIsConflictAndLeavesNothing() {
    SnapshotId slow = instance.open(1, "");
    instance.put(slow, HEAP, 0, Pages.page(1, HEAP, 0));
    String newest = commitVersion(2, 0, 1, "").manifestKey();
    Set<String> before = Set.copyOf(keys());

    assertThatThrownBy(() -> instance.commit(slow, 1, heap(1)))
        .isInstanceOf(EbbException.Conflict.class);
    assertThat(headManifest()).isEqualTo(newest);
    assertThat(keys()).isEqualTo(before);
  }

  @Test
  void droppedOrUnknownBranchTakesNoCapture() {
    heads.drop(BRANCH);

    assertThatThrownBy(() -> instance.open(1, "")).isInstanceOf(EbbException.NotFound.class);
    var unknown = new OpenCapture(new BranchId("unknown"), new Generation(1), "");
    assertThatThrownBy(() -> instance.captures.open(unknown))
        .isInstanceOf(EbbException.NotFound.class);
    assertThatThrownBy(() -> instance.commit(SnapshotId.random(), 1, heap(0)))
        .isInstanceOf(EbbException.NotFound.class);
  }

  @Test
  void templateIsCommittedWithoutHead() {
    objects.delete(BranchKeys.head(BRANCH));
    SnapshotId snapshot = instance.open(0, "");
    instance.put(snapshot, HEAP, 0, Pages.page(1, HEAP, 0));
    CaptureCommitted template = instance.commit(snapshot, 0, heap(1));

    assertThat(heads.read(BRANCH)).isEmpty();
    assertThat(instance.read(template.manifestKey(), HEAP, 0, 1)).isEqualTo(Pages.page(1, HEAP, 0));
  }

  /** No head would keep the first one. */
  @Test
  void secondSnapshotOfATemplateHasNoHistory() {
    objects.delete(BranchKeys.head(BRANCH));
    SnapshotId first = instance.open(0, "");
    instance.put(first, HEAP, 0, Pages.page(1, HEAP, 0));
    String plain = instance.commit(first, 0, heap(1)).manifestKey();
    SnapshotId second = instance.open(0, plain);
    String template = instance.commit(second, 0, heap(1)).manifestKey();

    assertThat(instance.reader.view(template).manifest().history()).isEmpty();
    assertThat(instance.read(template, HEAP, 0, 1)).isEqualTo(Pages.page(1, HEAP, 0));
  }

  @Test
  void closedCommitMarksTheHead() {
    SnapshotId snapshot = instance.open(1, "");
    instance.captures.commit(
        new CommitCapture(snapshot, Instance.manifest(snapshot, 1, List.of()), true));

    assertThat(heads.read(BRANCH).orElseThrow().head().closed()).isTrue();
    assertThat(heads.read(BRANCH).orElseThrow().head().closedLsn()).isEqualTo(new Lsn(0x2000));
  }

  @Test
  void abortDeletesWhatWasWrittenAndIsIdempotent() {
    Set<String> before = Set.copyOf(keys());
    SnapshotId snapshot = instance.open(1, "");
    for (int block = 0; block < 300; block++) {
      instance.put(snapshot, HEAP, block, Pages.noise(block));
    }
    assertThat(keys()).isNotEqualTo(before);

    instance.captures.abort(snapshot);
    instance.captures.abort(snapshot);

    assertThat(keys()).isEqualTo(before);
    assertThatThrownBy(() -> instance.put(snapshot, HEAP, 0, Pages.zero()))
        .isInstanceOf(EbbException.NotFound.class);
  }

  @Test
  void idleCaptureIsGivenUpAndBusyOneIsNot() {
    SnapshotId idle = instance.open(1, "");
    SnapshotId busy = instance.open(1, "");
    instance.clock.advanceMs(599_999);
    instance.put(busy, HEAP, 0, Pages.zero());
    instance.clock.advanceMs(1);
    instance.captures.abortIdle();

    assertThatThrownBy(() -> instance.put(idle, HEAP, 0, Pages.zero()))
        .isInstanceOf(EbbException.NotFound.class);
    instance.put(busy, HEAP, 0, Pages.zero());
  }

  @Test
  void wrongPutsAreInvalid() {
    SnapshotId snapshot = instance.open(1, "");
    for (byte[] bytes : new byte[][] {{}, new byte[1], new byte[8191], new byte[129 * 8192]}) {
      assertThatThrownBy(() -> instance.put(snapshot, HEAP, 0, bytes))
          .isInstanceOf(EbbException.Invalid.class);
    }
    assertThatThrownBy(() -> instance.put(snapshot, HEAP, -1, Pages.zero()))
        .isInstanceOf(EbbException.Invalid.class);
    assertThatThrownBy(() -> instance.put(snapshot, HEAP, 131_072, Pages.zero()))
        .isInstanceOf(EbbException.Invalid.class);
    assertThatThrownBy(() ->
            instance.captures.commit(
                new CommitCapture(
                    snapshot, Instance.manifest(SnapshotId.random(), 1, List.of()), false)))
        .isInstanceOf(EbbException.Invalid.class);
  }

  @Test
  void bootPackHoldsTheNewestOfEveryBootBlockWhereverItIs() {
    SnapshotId first = instance.open(1, "");
    instance.put(first, HEAP, 0, Pages.page(1, HEAP, 0));
    instance.put(first, HEAP, 1, Pages.page(1, HEAP, 1));
    instance.put(first, HEAP, 2, Pages.page(1, HEAP, 2));
    instance.put(first, TOAST, 0, Pages.page(1, TOAST, 0));
    String base = instance.commit(first, 1, heap(3), new BlockFile(TOAST, 1, 1)).manifestKey();

    SnapshotId second = instance.open(1, base);
    instance.captures.put(new PutPages(second, HEAP, 1, 1, true, Pages.page(2, HEAP, 1)));
    instance.put(second, HEAP, 1, Pages.page(3, HEAP, 1)); // replaces the one put for boot
    instance.put(second, HEAP, 2, Pages.page(3, HEAP, 2));
    byte[] manifest =
        Instance.manifest(
            second,
            1,
            List.of(new BlockRun(HEAP, 0, 3), new BlockRun(TOAST, 0, 9)),
            heap(3),
            new BlockFile(TOAST, 1, 1));
    String key = instance.captures.commit(new CommitCapture(second, manifest, false)).manifestKey();

    try (var other = new Instance(objects)) {
      for (Instance reading : List.of(instance, other)) {
        List<Run> runs = reading.reader.bootPages(key);
        assertThat(runs).hasSize(2);
        assertThat(runs.get(0).file()).isEqualTo(HEAP);
        assertThat(runs.get(0).bytes()).hasSize(3 * FileKey.BLOCK_BYTES);
        assertThat(runs.get(0).bytes())
            .startsWith(Pages.page(1, HEAP, 0))
            .endsWith(Pages.page(3, HEAP, 2))
            .containsSequence(Pages.page(3, HEAP, 1));
        assertThat(runs.get(1).bytes()).isEqualTo(Pages.page(1, TOAST, 0));
      }
      assertThat(other.reader.bootPages(base)).isEmpty();
    }
  }

  /** A crash, or an outage, at any of a capture's writes. */
  @Test
  void failureAtAnyWriteLeavesTheOldSnapshotWholeOrTheNewOneComplete() {
    String old = commitVersion(1, 0, 10, "").manifestKey();
    int steps = writesOfOneCapture();
    assertThat(steps).isGreaterThanOrEqualTo(4);
    for (FaultyStore.Mode mode : FaultyStore.Mode.values()) {
      for (int step = 1; step <= steps; step++) {
        for (int length : new int[] {1, 1_000_000}) {
          failAt(step, step + length, mode);
        }
      }
    }
    assertThat(instance.read(old, HEAP, 9, 1)).isEqualTo(Pages.page(1, HEAP, 9));
  }

  private int writesOfOneCapture() {
    store.failWrites(Integer.MAX_VALUE, Integer.MAX_VALUE, FaultyStore.Mode.NOT_DONE);
    capture(9, headManifest());
    return store.writes();
  }

  private CaptureCommitted capture(int version, String base) {
    SnapshotId snapshot = instance.open(1, base);
    instance.captures.put(new PutPages(snapshot, HEAP, 1, 0, true, Pages.page(version, HEAP, 0)));
    for (int block = 1; block < 150; block++) {
      instance.put(snapshot, HEAP, block, Pages.noise(version * 1000L + block));
    }
    byte[] manifest = Instance.manifest(snapshot, 1, List.of(new BlockRun(HEAP, 0, 1)), heap(150));
    return instance.captures.commit(new CommitCapture(snapshot, manifest, false));
  }

  private void failAt(int from, int to, FaultyStore.Mode mode) {
    String before = headManifest();
    store.failWrites(from, to, mode);
    boolean succeeded = false;
    try {
      capture(from, before);
      succeeded = true;
    } catch (EbbException.Unavailable expected) {
      assertThat(expected).hasMessageContaining("injected");
    }
    store.heal();
    String after = headManifest();
    if (succeeded) {
      assertThat(after).isNotEqualTo(before);
    }
    // whichever snapshot the head names is there with all its pages, for whoever starts next
    try (var next = new Instance(objects)) {
      int blocks = next.reader.view(after).manifest().files().getFirst().blocks();
      for (int block = 0; block < blocks; block += 100) {
        int count = Math.min(100, blocks - block);
        assertThat(next.read(after, HEAP, block, count)).hasSize(count * FileKey.BLOCK_BYTES);
      }
      assertThat(next.reader.bootPages(after)).isNotNull();
    }
  }

  @Test
  void commitInDoubtIsSettledByAskingAgain() {
    for (FaultyStore.Mode mode : FaultyStore.Mode.values()) {
      String before = headManifest();
      SnapshotId snapshot = instance.open(1, before);
      instance.put(snapshot, HEAP, 0, Pages.page(5, HEAP, 0));
      byte[] manifest = Instance.manifest(snapshot, 1, List.of(), heap(1));
      // pack and manifest are written, the head's write fails
      store.failWrites(3, 4, mode);
      var commit = new CommitCapture(snapshot, manifest, false);
      assertThatThrownBy(() -> instance.captures.commit(commit))
          .isInstanceOf(EbbException.Unavailable.class);

      CaptureCommitted settled = instance.captures.commit(commit);

      assertThat(headManifest()).isEqualTo(settled.manifestKey());
      assertThat(instance.read(settled.manifestKey(), HEAP, 0, 1))
          .isEqualTo(Pages.page(5, HEAP, 0));
    }
  }

  @Test
  void abortInDoubtDeletesNothing() {
    SnapshotId snapshot = instance.open(1, "");
    instance.put(snapshot, HEAP, 0, Pages.page(5, HEAP, 0));
    store.failWrites(3, 4, FaultyStore.Mode.DONE_BUT_UNANSWERED);
    assertThatThrownBy(() -> instance.commit(snapshot, 1, heap(1)))
        .isInstanceOf(EbbException.Unavailable.class);

    instance.captures.abort(snapshot);

    try (var next = new Instance(objects)) {
      assertThat(next.read(headManifest(), HEAP, 0, 1)).isEqualTo(Pages.page(5, HEAP, 0));
    }
  }

  @Test
  void storeThatIsAwayIsUnavailable() {
    String key = commitVersion(1, 0, 1, "").manifestKey();
    store.goAway();
    try (var next = new Instance(store)) {
      assertThatThrownBy(() -> next.read(key, HEAP, 0, 1))
          .isInstanceOf(EbbException.Unavailable.class);
      assertThatThrownBy(() -> next.open(1, "")).isInstanceOf(EbbException.Unavailable.class);
    }
  }

  @Test
  void lostObjectsAreNamed() {
    String key = commitVersion(1, 0, 1, "").manifestKey();
    ObjectStore.Listed pack = objects.list(BranchKeys.prefix(BRANCH) + "packs/").getFirst();
    objects.delete(pack.key());
    try (var next = new Instance(objects)) {
      assertThatThrownBy(() -> next.read(key, HEAP, 0, 1))
          .isInstanceOf(EbbException.Corrupt.class)
          .hasMessageContaining(pack.key());
      assertThatThrownBy(() -> next.reader.view("branches/x/manifests/y"))
          .isInstanceOf(EbbException.NotFound.class);
    }
  }
}
