package dev.ebb.pageservice.gc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.FaultyStore;
import dev.ebb.pageservice.Instance;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Who stops for longer than the grace does not commit what was collected meanwhile. */
final class FenceTest {
  private static final long EIGHT_DAYS_MS = TimeUnit.DAYS.toMillis(8);
  private static final String MAIN_HEAD = BranchKeys.head(World.MAIN);

  /** Runs once, before the next write of a key. */
  private static void beforeWriteOf(World world, String key, Runnable action) {
    var done = new AtomicBoolean();
    world.clocked.beforeWrite(written -> {
      if (written.equals(key) && done.compareAndSet(false, true)) {
        action.run();
      }
    });
  }

  /** Time goes by, and another page service collects. */
  private static void collectLater(World world) {
    world.clock.advanceMs(Instance.GRACE_MS + 1);
    try (var other = new Instance(world.clocked, world.clock)) {
      other.collector.collect();
    }
  }

  @Test
  void captureThatStopsBehindItsCheckAndBeforeItsCompareAndSetDoesNotCommit() {
    try (var world = World.grown(31)) {
      BranchHead before = world.head(World.MAIN);
      World.Begun begun = world.begin(World.MAIN);
      beforeWriteOf(world, MAIN_HEAD, () -> collectLater(world));

      assertThatThrownBy(() -> world.commit(begun)).isInstanceOf(EbbException.Unavailable.class);

      assertThat(world.head(World.MAIN).manifestKey()).isEqualTo(before.manifestKey());
      assertThat(world.head(World.MAIN).collectedBefore()).isPositive();
      world.assertEverythingReads();
      world.clocked.beforeWrite(key -> {});
      world.commitSome(World.MAIN, 2); // afresh
      world.assertEverythingReads();
    }
  }

  /** Its own clock stood still, too: only the head tells. */
  @Test
  void captureWhoseClockSaysThatItIsYoungDoesNotCommitWhatWasCollected() {
    try (var world = World.grown(32);
        var stopped = new Instance(world.clocked, new Instance.Ticks())) {
      World.Begun begun = world.begin(World.MAIN, stopped);
      // another capture's packs, so that something of the branch is collected in any case
      beforeWriteOf(world, MAIN_HEAD, () -> collectLater(world));

      assertThatThrownBy(() -> world.commit(begun, stopped))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("collection");

      world.assertEverythingReads();
    }
  }

  @Test
  void captureThatIsTooOldWhenItsObjectsAreStoredDoesNotCommit() {
    try (var world = World.grown(33)) {
      World.Begun begun = world.begin(World.MAIN);
      beforeWriteOf(
          world,
          BranchKeys.manifest(World.MAIN, begun.snapshot()),
          () -> world.clock.advanceMs(Instance.GRACE_MS / 2 + 1));

      assertThatThrownBy(() -> world.commit(begun)).isInstanceOf(EbbException.Unavailable.class);
      world.assertEverythingReads();
    }
  }

  @Test
  void captureInDoubtIsSettledAgainstTheFenceToo() {
    try (var world = World.grown(34)) {
      try (var stopped = new Instance(world.store, new Instance.Ticks())) {
        World.Begun begun = world.begin(World.MAIN, stopped);
        AtomicInteger toHead = new AtomicInteger();
        // the first write of the head fails before it reaches the store
        world.clocked.beforeWrite(key -> {
          if (key.equals(MAIN_HEAD) && toHead.getAndIncrement() == 0) {
            throw new EbbException.Unavailable("injected: not done");
          }
        });
        assertThatThrownBy(() -> world.commit(begun, stopped)).hasMessageContaining("injected");
        collectLater(world);

        assertThatThrownBy(() -> world.commit(begun, stopped))
            .isInstanceOf(EbbException.Unavailable.class)
            .hasMessageContaining("collection");
      }
      world.assertEverythingReads();
    }
  }

  @Test
  void captureThatIsYoungerThanWhatIsCollectedCommits() {
    try (var world = World.grown(35)) {
      World.Begun begun = world.begin(World.MAIN);
      try (var other = new Instance(world.clocked, world.clock)) {
        assertThat(other.collector.collect().deleted()).isPositive();
      }
      assertThat(world.head(World.MAIN).collectedBefore()).isPositive();

      world.commit(begun);

      assertThat(BranchKeys.snapshotOf(world.head(World.MAIN).manifestKey()))
          .isEqualTo(begun.snapshot().value());
      world.assertEverythingReads();
    }
  }

  /** The collector, too, finds a head that changed. */
  @Test
  void commitBetweenTheSurveyAndTheFenceIsSurveyed() {
    try (var world = World.grown(36);
        var stopped = new Instance(world.clocked, new Instance.Ticks())) {
      World.Begun begun = world.begin(World.MAIN, stopped);
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      beforeWriteOf(world, MAIN_HEAD, () -> world.commit(begun, stopped));

      Collector.Report report = world.instance.collector.collect();

      assertThat(BranchKeys.snapshotOf(world.head(World.MAIN).manifestKey()))
          .isEqualTo(begun.snapshot().value());
      assertThat(report.deleted()).isPositive();
      world.assertEverythingReads();
    }
  }

  @Test
  void compactionThatStopsBeforeItsCompareAndSetIsGivenUp() {
    try (var world = World.grown(37)) {
      world.clock.advanceMs(EIGHT_DAYS_MS);
      world.instance.collector.collect(); // so that the run below has the head for its compaction
      var stopped = new AtomicReference<@Nullable BranchHead>();
      world.clocked.beforeWrite(key -> {
        if (key.contains("/manifests/") && key.contains(".r")) {
          BranchHead head = world.head(Roots.branchOf(key));
          stopped.set(head);
          beforeWriteOf(world, BranchKeys.head(head.branch()), () -> collectLater(world));
        }
      });

      world.instance.maintenance.run();

      BranchHead before = Objects.requireNonNull(stopped.get());
      assertThat(world.head(before.branch()).manifestKey()).isEqualTo(before.manifestKey());
      assertThat(world.instance.meters.get("ebb.page.compaction.lost").counter().count())
          .isEqualTo(1);
      world.assertEverythingReads();
    }
  }

  @Test
  void headsAreLeftAloneWhereNothingOfTheirsIsDeletedAndChangedOnceElse() {
    try (var world = World.grown(38)) {
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      world.instance.collector.collect();
      world.clocked.put("branches/dev1/packs/lost-0", new byte[] {1});
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      BranchHead main = world.head(World.MAIN);
      BranchHead dev = world.head(World.DEV);
      var writes = new AtomicInteger();
      world.clocked.beforeWrite(key -> {
        if (key.endsWith("/head")) {
          writes.incrementAndGet();
        }
      });

      assertThat(world.instance.collector.collect().deleted()).isEqualTo(1);
      assertThat(writes).hasValue(1);
      assertThat(world.head(World.MAIN)).isEqualTo(main);
      assertThat(world.head(World.DEV).collectedBefore()).isGreaterThan(dev.collectedBefore());

      world.clock.advanceMs(Instance.GRACE_MS + 1);
      assertThat(world.instance.collector.collect().deleted()).isZero();
      assertThat(writes).hasValue(1);
    }
  }

  /** A commit that was composed long ago would list it as if it were there. */
  @Test
  void headThatListsWhatHasExpiredIsChangedWhereverThatWasStored() {
    try (var world = new World(40)) {
      world.commitSome(World.MAIN, 12);
      world.branch(World.DEV, World.MAIN);
      world.commitSome(World.DEV, 1);
      world.heads.drop(World.MAIN);
      world.clock.advanceMs(EIGHT_DAYS_MS);
      int own = world.objects.list("branches/dev1/").size();

      assertThat(world.instance.collector.collect().deleted()).isPositive();

      assertThat(world.objects.list("branches/dev1/")).hasSize(own);
      assertThat(world.head(World.DEV).collectedBefore()).isPositive();
    }
  }

  /** The fence is the first that a run changes. */
  @Test
  void runThatCannotFenceDeletesNothing() {
    try (var world = World.grown(39)) {
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      int before = world.objects.list("branches/").size();
      world.store.failWrites(2, 3, FaultyStore.Mode.NOT_DONE); // behind the look at the clock

      assertThatThrownBy(() -> world.instance.collector.collect())
          .isInstanceOf(EbbException.Unavailable.class);

      assertThat(world.objects.list("branches/")).hasSize(before);
    }
  }
}
