package dev.ebb.shared.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.store.InMemoryObjectStore;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

final class BranchHeadsTest {
  private static final BranchId BRANCH = new BranchId("branch1");
  private static final Lsn END = Lsn.parse("0/16B3748");

  private final InMemoryObjectStore store = new InMemoryObjectStore();
  private final BranchHeads heads = new BranchHeads(store);

  private static BranchHead head() {
    return new BranchHead(
        1,
        BRANCH,
        new DatabaseId("db1"),
        -2,
        Generation.NONE,
        "template",
        false,
        Lsn.INVALID,
        false);
  }

  private BranchHead now() {
    return heads.read(BRANCH).orElseThrow().head();
  }

  private static Generation generation(long number) {
    return new Generation(number);
  }

  @Test
  void headIsCreatedOnce() {
    assertThat(heads.read(BRANCH)).isEmpty();
    heads.create(head());
    heads.create(head());
    assertThat(now()).isEqualTo(head());

    heads.openGeneration(BRANCH);
    assertThatThrownBy(() -> heads.create(head())).isInstanceOf(EbbException.Conflict.class);
  }

  @Test
  void headThatChangedSinceItWasReadIsReadAgain() {
    heads.create(head());
    assertThat(now().generation()).isEqualTo(Generation.NONE);
    var other = new BranchHeads(store);
    other.openGeneration(BRANCH);
    other.commitSnapshot(BRANCH, generation(1), "theirs", true, END);

    BranchHeads.Opened opened = heads.openGeneration(BRANCH);

    assertThat(heads.lastSeen(BRANCH)).isPresent();
    assertThat(opened.previous().manifestKey()).isEqualTo("theirs");
    assertThat(opened.previous().closed()).isTrue();
    assertThat(opened.head().generation()).isEqualTo(generation(2));
    heads.read(BRANCH);
    other.drop(BRANCH);
    assertThatThrownBy(() -> heads.openGeneration(BRANCH))
        .isInstanceOf(EbbException.NotFound.class);
  }

  @Test
  void openedGenerationTellsHowTheLastOneEnded() {
    heads.create(head());
    assertThat(heads.openGeneration(BRANCH).head().generation()).isEqualTo(generation(1));
    heads.commitSnapshot(BRANCH, generation(1), "manifest1", true, END);
    assertThat(now().closed()).isTrue();
    assertThat(now().closedLsn()).isEqualTo(END);

    BranchHeads.Opened opened = heads.openGeneration(BRANCH);

    assertThat(opened.previous().closed()).isTrue();
    assertThat(opened.previous().closedLsn()).isEqualTo(END);
    assertThat(opened.previous().manifestKey()).isEqualTo("manifest1");
    assertThat(opened.head().generation()).isEqualTo(generation(2));
    assertThat(opened.head().manifestKey()).isEqualTo("manifest1");
    assertThat(opened.head().closed()).isFalse();
    assertThat(opened.head().closedLsn()).isEqualTo(Lsn.INVALID);
    assertThat(now()).isEqualTo(opened.head());
  }

  @Test
  void concurrentStartsGetDifferentGenerations() throws Exception {
    heads.create(head());
    List<Callable<Generation>> starts = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      starts.add(() -> heads.openGeneration(BRANCH).head().generation());
    }
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      Set<Generation> generations =
          threads.invokeAll(starts).stream()
              .map(done -> {
                try {
                  return done.get();
                } catch (Exception e) {
                  throw new IllegalStateException(e);
                }
              })
              .collect(Collectors.toSet());
      assertThat(generations).hasSize(10);
      assertThat(now().generation()).isEqualTo(generation(10));
    }
  }

  @Test
  void commitOfOlderGenerationIsFenced() {
    heads.create(head());
    heads.openGeneration(BRANCH);
    heads.openGeneration(BRANCH);

    assertThatThrownBy(() -> heads.commitSnapshot(BRANCH, generation(1), "old", true, END))
        .isInstanceOf(EbbException.Fenced.class)
        .hasMessageContaining("generation 2");
    assertThatThrownBy(() -> heads.commitSnapshot(BRANCH, generation(3), "odd", true, END))
        .isInstanceOf(EbbException.Fenced.class);
    assertThat(now().manifestKey()).isEqualTo("template");
  }

  @Test
  void commitIsIdempotentForTheSameManifest() {
    heads.create(head());
    heads.openGeneration(BRANCH);
    BranchHead first = heads.commitSnapshot(BRANCH, generation(1), "m1", false, Lsn.INVALID);

    assertThat(heads.commitSnapshot(BRANCH, generation(1), "m1", false, Lsn.INVALID))
        .isEqualTo(first);
  }

  @Test
  void commitOverAnUnexpectedSnapshotIsConflict() {
    heads.create(head());
    heads.openGeneration(BRANCH);
    heads.commitSnapshot(BRANCH, generation(1), "template", "m1", false, Lsn.INVALID);

    assertThatThrownBy(
            () -> heads.commitSnapshot(BRANCH, generation(1), "template", "m2", false, Lsn.INVALID))
        .isInstanceOf(EbbException.Conflict.class);
    assertThat(heads.commitSnapshot(BRANCH, generation(1), "template", "m1", false, Lsn.INVALID))
        .isEqualTo(now());
    heads.commitSnapshot(BRANCH, generation(1), "m1", "m2", false, Lsn.INVALID);
    assertThat(now().manifestKey()).isEqualTo("m2");
  }

  @Test
  void droppedBranchStartsAndCommitsNothing() {
    heads.drop(BRANCH);
    heads.create(head());
    heads.openGeneration(BRANCH);
    heads.drop(BRANCH);
    heads.drop(BRANCH);

    assertThat(now().dropped()).isTrue();
    assertThatThrownBy(() -> heads.openGeneration(BRANCH))
        .isInstanceOf(EbbException.NotFound.class);
    assertThatThrownBy(() -> heads.openGeneration(new BranchId("unknown")))
        .isInstanceOf(EbbException.NotFound.class);
    assertThatThrownBy(() -> heads.commitSnapshot(BRANCH, generation(1), "m1", true, END))
        .isInstanceOf(EbbException.Fenced.class);
    assertThatThrownBy(() -> heads.create(head())).isInstanceOf(EbbException.Conflict.class);
  }

  /** The stored form is for ever: other programs read it, and later versions must. */
  @Test
  void headIsStoredInThisForm() {
    heads.create(head());
    heads.openGeneration(BRANCH);
    heads.commitSnapshot(BRANCH, generation(1), "branches/branch1/manifests/s1", true, END);

    byte[] stored = store.get("branches/branch1/head").orElseThrow().content();
    assertThat(new String(stored, StandardCharsets.UTF_8))
        .isEqualTo(
            "{\"formatVersion\":1,\"branch\":\"branch1\",\"database\":\"db1\","
                + "\"systemIdentifier\":\"18446744073709551614\",\"generation\":1,"
                + "\"manifestKey\":\"branches/branch1/manifests/s1\",\"closed\":true,"
                + "\"closedLsn\":\"0/16B3748\",\"dropped\":false,\"logMade\":true,"
                + "\"collectedBefore\":0,\"inherits\":false}");

    heads.fence(BRANCH, "branches/branch1/manifests/s1", 1_763_800_000_000L);
    stored = store.get("branches/branch1/head").orElseThrow().content();
    assertThat(new String(stored, StandardCharsets.UTF_8))
        .endsWith("\"logMade\":true,\"collectedBefore\":1763800000000,\"inherits\":false}");
  }

  /** As it was stored before heads had these fields. */
  @Test
  void headWithoutTheLaterFieldsIsRead() {
    store.put(
        "branches/branch1/head",
        ("{\"formatVersion\":1,\"branch\":\"branch1\",\"database\":\"db1\","
                + "\"systemIdentifier\":\"77\",\"generation\":1,\"manifestKey\":\"m1\","
                + "\"closed\":false,\"closedLsn\":\"0/0\",\"dropped\":false}")
            .getBytes(StandardCharsets.UTF_8));

    assertThat(now().logMade()).isTrue();
    assertThat(now().collectedBefore()).isZero();
    assertThat(now().inherits()).isFalse();
  }

  @Test
  void childInheritsUntilItsFirstPrimaryHasSettledIt() {
    heads.create(
        new BranchHead(
            1,
            BRANCH,
            new DatabaseId("db1"),
            -2,
            Generation.NONE,
            "parents",
            false,
            Lsn.INVALID,
            false,
            true,
            7,
            true));
    heads.openGeneration(BRANCH); // a first start that did not get there
    heads.fence(BRANCH, "parents", 100);
    heads.openGeneration(BRANCH);
    assertThat(now().inherits()).isTrue();

    assertThatThrownBy(() -> heads.markDisinherited(BRANCH, generation(1)))
        .isInstanceOf(EbbException.Fenced.class);
    heads.markDisinherited(BRANCH, generation(2));
    heads.markDisinherited(BRANCH, generation(2));
    heads.markLogMade(BRANCH, generation(2));
    heads.commitSnapshot(BRANCH, generation(2), "m1", true, END);

    assertThat(now().inherits()).isFalse();
    assertThat(now().collectedBefore()).isEqualTo(100);
  }

  @Test
  void fenceStaysWhateverElseChangesAndAlwaysRises() {
    heads.create(head());
    assertThat(heads.fence(BRANCH, "other", 100)).isFalse();
    assertThat(heads.fence(BRANCH, "template", 100)).isTrue();
    assertThat(now().collectedBefore()).isEqualTo(100);

    heads.openGeneration(BRANCH);
    heads.commitSnapshot(BRANCH, generation(1), "m1", false, Lsn.INVALID);
    heads.revise(BRANCH, "m1", "m2", before -> {});
    heads.markLogMade(BRANCH, generation(1));
    assertThat(now().collectedBefore()).isEqualTo(100);

    assertThat(heads.fence(BRANCH, "m2", 50)).isTrue(); // a store whose clock went back
    assertThat(now().collectedBefore()).isEqualTo(101);
    heads.drop(BRANCH);
    assertThat(now().collectedBefore()).isEqualTo(101);
    assertThat(heads.fence(BRANCH, "m2", 200)).isFalse();
  }

  /** The guard sees the very head that the write takes the place of. */
  @Test
  void fenceBetweenGuardAndWriteHasTheGuardAskedAgain() {
    heads.create(head());
    heads.openGeneration(BRANCH);
    List<Long> asked = new ArrayList<>();
    BranchHeads.Guard guard =
        before -> {
          asked.add(before.collectedBefore());
          if (asked.size() == 1) {
            new BranchHeads(store).fence(BRANCH, "template", 100);
          }
          if (before.collectedBefore() > 0) {
            throw new EbbException.Unavailable("late");
          }
        };

    assertThatThrownBy(() ->
            heads.commitSnapshot(
                BRANCH, generation(1), "template", "m1", false, Lsn.INVALID, guard))
        .hasMessage("late");
    assertThatThrownBy(() -> heads.revise(BRANCH, "template", "m1", guard)).hasMessage("late");
    assertThat(asked).containsExactly(0L, 100L, 100L);
    assertThat(now().manifestKey()).isEqualTo("template");
  }

  @Test
  void buriedBranchGetsNoHead() {
    assertThat(heads.drop(BRANCH)).isFalse();
    assertThat(heads.bury(BRANCH, new DatabaseId("db1"))).isTrue();

    assertThat(now().dropped()).isTrue();
    assertThatThrownBy(() -> heads.create(head())).isInstanceOf(EbbException.Conflict.class);
    assertThat(heads.drop(BRANCH)).isTrue();
  }

  @Test
  void livingBranchIsNotBuried() {
    heads.create(head());
    assertThat(heads.bury(BRANCH, new DatabaseId("db1"))).isFalse();
    assertThat(now()).isEqualTo(head());
  }

  @Test
  void newerOrDamagedHeadIsNamed() {
    store.put("branches/branch1/head", "{\"formatVersion\":7}".getBytes(StandardCharsets.UTF_8));
    assertThatThrownBy(() -> heads.read(BRANCH))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("branches/branch1/head has format 7");

    store.put("branches/branch1/head", "{\"formatVersion\":1}".getBytes(StandardCharsets.UTF_8));
    assertThatThrownBy(() -> heads.openGeneration(BRANCH))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("branches/branch1/head");
  }
}
