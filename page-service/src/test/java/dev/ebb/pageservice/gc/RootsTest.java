package dev.ebb.pageservice.gc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.capture.History;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest.Ancestor;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** What a collection takes for roots, and what it does where one is missing. */
final class RootsTest {
  private static final long EIGHT_DAYS_MS = TimeUnit.DAYS.toMillis(8);
  private static final BranchId LATE = new BranchId("late1");
  private static final String LOST = "branches/main1/packs/lost-0";

  private static Consumer<String> once(String key, Runnable action) {
    var done = new AtomicBoolean();
    return used -> {
      if (used.equals(key) && done.compareAndSet(false, true)) {
        action.run();
      }
    };
  }

  private static boolean isThere(World world, String key) {
    return world.objects.get(key).isPresent();
  }

  private static BranchHead other(BranchId branch, String manifestKey) {
    return new BranchHead(
        1,
        branch,
        new DatabaseId("other"),
        78,
        new Generation(1),
        manifestKey,
        false,
        Lsn.INVALID,
        false);
  }

  @Test
  void branchThatIsMadeDuringTheLookIsSeen() {
    try (var world = World.grown(41)) {
      world.clocked.beforeRead(
          once(
              BranchKeys.head(World.MAIN),
              () -> {
                world.name("late", LATE);
                world.branch(LATE, World.DEV);
              }));

      Roots roots = Roots.read(world.clocked);

      assertThat(roots.heads()).extracting(BranchHead::branch).contains(LATE);
      assertThat(roots.named()).contains(LATE);
    }
  }

  /** What its parent's head was revised from belongs to nobody but the branch in the making. */
  @Test
  void nothingOfADatabaseIsCollectedWhileABranchOfItIsInTheMaking() {
    try (var world = World.grown(42)) {
      world.clock.advanceMs(EIGHT_DAYS_MS);
      world.name("late", LATE);
      String parent = world.head(World.MAIN).manifestKey();
      assertThat(world.instance.maintenance.run().compacted()).isPositive();
      assertThat(world.head(World.MAIN).manifestKey()).isNotEqualTo(parent);
      world.instance.maintenance.run();

      world.branch(LATE, World.MAIN, parent);

      world.assertEverythingReads();
    }
  }

  @Test
  void branchThatIsInTheMakingForLongerThanTheGraceGetsATombstoneForAHead() {
    try (var world = World.grown(43)) {
      world.name("late", LATE);
      world.clock.advanceMs(Instance.GRACE_MS + 1);

      assertThat(world.instance.collector.collect().deleted()).isPositive();

      assertThat(world.head(LATE).dropped()).isTrue();
      assertThatThrownBy(() -> world.branch(LATE, World.MAIN))
          .isInstanceOf(EbbException.Conflict.class);
      world.clock.advanceMs(EIGHT_DAYS_MS);
      world.instance.collector.collect();
      assertThat(world.head(LATE).dropped()).as("the catalog names it still").isTrue();
    }
  }

  @Test
  void tombstoneStaysUntilTheLogIsDeleted() {
    try (var world = World.grown(44)) {
      var gone = new BranchId("gone1");
      world.heads.bury(gone, World.DATABASE);
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      world.instance.failLogs = true;
      world.instance.collector.collect();
      assertThat(world.head(gone).dropped()).isTrue();

      world.instance.failLogs = false;
      world.instance.collector.collect();

      assertThat(world.heads.read(gone)).isEmpty();
      assertThat(world.instance.logsDeleted).containsExactly(gone);
    }
  }

  @Test
  void headThatMovesOnDuringTheSurveyIsNotDamaged() {
    try (var world = World.grown(45)) {
      world.clock.advanceMs(EIGHT_DAYS_MS);
      String before = world.head(World.MAIN).manifestKey();
      world.clocked.beforeRead(
          once(
              before,
              () -> {
                try (var other = new Instance(world.clocked, world.clock)) {
                  assertThat(other.maintenance.run().compacted()).isPositive();
                  other.collector.collect();
                }
                assertThat(isThere(world, before)).isFalse();
              }));

      Collector.Report report = world.instance.collector.collect();

      assertThat(report.damaged()).isZero();
      world.assertEverythingReads();
    }
  }

  @Test
  void missingTemplateKeepsWhatMayBeItsOwnAndStopsNothingElse() {
    try (var world = World.grown(46)) {
      String pack = "branches/template7/packs/a-0";
      world.clocked.put(pack, new byte[] {1});
      world.clocked.put(
          "templates/postgresql-18.6/current",
          "branches/template7/manifests/gone".getBytes(StandardCharsets.UTF_8));
      world.clock.advanceMs(EIGHT_DAYS_MS);

      world.instance.collector.collect();

      assertThat(isThere(world, LOST)).isFalse();
      assertThat(isThere(world, pack)).isTrue();
      assertThat(world.instance.meters.get("ebb.page.gc.damaged").counter().count()).isEqualTo(1);

      world.clocked.put("templates/postgresql-18.6/current", new byte[] {'?'});
      world.instance.collector.collect();
      assertThat(isThere(world, pack)).as("it may be that one's").isTrue();
    }
  }

  @Test
  void clockThatIsFarFromTheStoresCollectsNothing() {
    try (var world = World.grown(47)) {
      var clock = new Instance.Ticks();
      try (var ahead = new Instance(world.clocked, clock)) {
        clock.advanceMs(world.clock.millis() - clock.millis() + TimeUnit.MINUTES.toMillis(6));
        assertThatThrownBy(ahead.collector::collect)
            .isInstanceOf(EbbException.Unavailable.class)
            .hasMessageContaining("360 s ahead of");
        assertThat(isThere(world, LOST)).isTrue();

        clock.advanceMs(-TimeUnit.MINUTES.toMillis(2));
        assertThat(ahead.collector.collect().deleted()).isPositive();
      }
    }
  }

  /** A history expires by the store's clock. */
  @Test
  void earlierSnapshotThatHasExpiredByTheLocalClockOnlyStays() {
    try (var world = new World(48)) {
      world.commitSome(World.MAIN, 12);
      SnapshotView head = world.instance.reader.view(world.head(World.MAIN).manifestKey());
      Ancestor first = head.manifest().history().getFirst();
      long ends = head.manifest().history().get(1).committedEpochMs();
      // two more minutes and it would have expired
      world.clock.advanceMs(
          ends
              + Instance.WINDOW_MS
              + 2 * Instance.GRACE_MS
              - TimeUnit.MINUTES.toMillis(2)
              - world.clock.millis());
      var local = new Instance.Ticks();
      local.advanceMs(world.clock.millis() - local.millis() + TimeUnit.MINUTES.toMillis(4));
      try (var ahead = new Instance(world.clocked, local)) {
        assertThat(
                History.unexpired(
                    head.manifest(), local.millis(), Instance.WINDOW_MS + Instance.GRACE_MS))
            .doesNotContain(first);
        ahead.collector.collect();
      }
      assertThat(isThere(world, first.manifestKey())).isTrue();
    }
  }

  /** The parent thins its history out; what a child began with still lists all of it. */
  @Test
  void inheritedHistoryThatTheParentGaveUpIsNoDamageAndNotListedAnyMore() {
    try (var world = new World(49)) {
      world.commitSome(World.MAIN, 30);
      world.branch(World.DEV, World.MAIN);
      String begunWith = world.head(World.DEV).manifestKey();
      List<Ancestor> history = world.instance.reader.view(begunWith).manifest().history();
      assertThat(history).hasSizeGreaterThan(2);
      world.heads.drop(World.MAIN);
      world.objects.delete(history.getFirst().manifestKey());
      world.clocked.put("branches/dev1/packs/lost-0", new byte[] {1});
      world.clock.advanceMs(Instance.GRACE_MS + 1);

      Collector.Report report = world.instance.collector.collect();

      assertThat(report.damaged()).isZero();
      assertThat(isThere(world, "branches/dev1/packs/lost-0")).isFalse();
      world.commitSome(World.DEV, 1);
      List<Ancestor> own =
          world.instance.reader.view(world.head(World.DEV).manifestKey()).manifest().history();
      assertThat(own).doesNotContain(history.getFirst()).contains(history.get(1));
      assertThat(own.getLast().manifestKey()).isEqualTo(begunWith);
      assertThat(world.instance.collector.collect().damaged()).isZero();
    }
  }

  @Test
  void missingEarlierSnapshotOfABranchItselfStopsItsDatabaseOnly() {
    try (var world = World.grown(50)) {
      var fine = new BranchId("fine1");
      world.heads.create(other(fine, ""));
      world.clocked.put("branches/fine1/packs/lost-0", new byte[] {1});
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      Ancestor missing =
          world
              .instance
              .reader
              .view(world.head(World.MAIN).manifestKey())
              .manifest()
              .history()
              .getLast();
      world.objects.delete(missing.manifestKey());

      Collector.Report report = world.instance.collector.collect();

      assertThat(report.damaged()).isEqualTo(1);
      assertThat(isThere(world, "branches/fine1/packs/lost-0")).isFalse();
      assertThat(isThere(world, LOST)).isTrue();
    }
  }

  @Test
  void expiredSnapshotThatIsListedStillMayBeMissing() {
    try (var world = new World(51)) {
      world.commitSome(World.MAIN, 30);
      world.clock.advanceMs(3 * EIGHT_DAYS_MS);
      SnapshotView head = world.instance.reader.view(world.head(World.MAIN).manifestKey());
      world.instance.collector.collect();
      assertThat(isThere(world, head.manifest().history().getFirst().manifestKey())).isFalse();

      assertThat(world.instance.collector.collect().damaged()).isZero();
      world.heads.drop(World.DEV);
    }
  }

  /** A drop must not wait for a sibling to be mended. */
  @Test
  void droppedBranchOfADamagedDatabaseIsLeftToCollection() {
    try (var world = World.grown(52)) {
      world.heads.drop(World.DEV);
      world.objects.delete(world.head(World.MAIN).manifestKey());
      int before = world.objects.list("branches/dev1/").size();

      world.instance.collector.deleteDropped(World.DEV);

      assertThat(world.objects.list("branches/dev1/")).hasSize(before);
    }
  }

  @Test
  void dropDeletesNothingWhileABranchIsInTheMaking() {
    try (var world = World.grown(53)) {
      world.name("late", LATE);
      world.heads.drop(World.DEV);
      int before = world.objects.list("branches/dev1/").size();

      world.instance.collector.deleteDropped(World.DEV);

      assertThat(world.objects.list("branches/dev1/")).hasSize(before);
    }
  }
}
