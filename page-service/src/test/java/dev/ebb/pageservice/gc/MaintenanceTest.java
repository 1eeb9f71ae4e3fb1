package dev.ebb.pageservice.gc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.FaultyStore;
import dev.ebb.pageservice.Instance;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.ObjectStore;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class MaintenanceTest {
  private static final long EIGHT_DAYS_MS = TimeUnit.DAYS.toMillis(8);

  private static Set<String> keys(World world) {
    var keys = new TreeSet<String>();
    world.objects.list("branches/").forEach(object -> keys.add(object.key()));
    return keys;
  }

  @Test
  void whatNothingReachesIsDeletedAndEverythingElseReads() {
    try (var world = World.grown(1)) {
      Set<String> before = keys(world);
      Maintenance.Report report = world.instance.maintenance.run();

      assertThat(report.collected().deleted()).isPositive();
      assertThat(report.collected().damaged()).isZero();
      assertThat(keys(world)).doesNotContain("branches/main1/packs/lost-0");
      assertThat(before.size()).isGreaterThan(keys(world).size());
      world.assertEverythingReads();
    }
  }

  @Test
  void youngObjectsAndTheWindowStay() {
    try (var world = new World(2)) {
      world.commitSome(World.MAIN, 5);
      world.clocked.put("branches/main1/packs/lost-0", new byte[] {1});
      Set<String> before = keys(world);
      world.instance.maintenance.run();
      assertThat(keys(world)).as("all of it is young").isEqualTo(before);

      world.clock.advanceMs(Instance.GRACE_MS + 1);
      world.instance.maintenance.run();

      assertThat(keys(world)).doesNotContain("branches/main1/packs/lost-0");
      world.assertEverythingReads();
      int history =
          world
              .instance
              .reader
              .view(world.head(World.MAIN).manifestKey())
              .manifest()
              .history()
              .size();
      assertThat(history).isPositive();
    }
  }

  /** A crash of the process, or of the store, at any of the writes that a run makes. */
  @ParameterizedTest
  @EnumSource(FaultyStore.Mode.class)
  void runThatStopsAnywhereLeavesNothingWrongAndNothingForEver(FaultyStore.Mode mode) {
    boolean through = false;
    double compactions = 0;
    int step = 1;
    for (; !through; step++) {
      assertThat(step).isLessThan(400);
      try (var world = World.grown(3)) {
        world.clock.advanceMs(EIGHT_DAYS_MS);
        world.store.failWrites(step, Integer.MAX_VALUE, mode);
        through = world.tryMaintenance();
        compactions = world.instance.meters.get("ebb.page.compaction.revisions").counter().count();
        world.store.heal();
        world.assertEverythingReads();
        world.commitSome(World.MAIN, 1); // the branch can still be written

        // a later run takes away what this one left, and what that one frees goes with the next
        for (int run = 0; run < 4; run++) {
          world.clock.advanceMs(Instance.GRACE_MS + 1);
          world.instance.maintenance.run();
        }
        world.clock.advanceMs(EIGHT_DAYS_MS);
        for (int run = 0; run < 4; run++) {
          world.clock.advanceMs(Instance.GRACE_MS + 1);
          world.instance.maintenance.run();
        }
        world.assertEverythingReads();
        assertThat(world.orphans()).as("after step %d", step).isEmpty();
      }
    }
    System.out.printf("maintenance stopped at each of %d writes (%s)%n", step - 2, mode);
    assertThat(compactions).as("a run that is not stopped compacts").isPositive();
  }

  @Test
  void mostlyDeadPacksAreRewrittenAndTheStoreShrinks() {
    try (var world = World.grown(4)) {
      int compacted = 0;
      long before = bytes(world);
      for (int run = 0; run < 4; run++) {
        world.clock.advanceMs(EIGHT_DAYS_MS);
        compacted += world.instance.maintenance.run().compacted();
        world.assertEverythingReads();
      }

      assertThat(compacted).isPositive();
      assertThat(bytes(world)).isLessThan(before * 2 / 3);
      assertThat(world.orphans()).isEmpty();
      Set<String> settled = keys(world);
      world.instance.maintenance.run();
      assertThat(keys(world)).as("nothing is left to do").isEqualTo(settled);
      assertThat(world.head(World.MAIN).manifestKey()).contains(".r");
    }
  }

  private static long bytes(World world) {
    return world.objects.list("branches/").stream().mapToLong(ObjectStore.Listed::bytes).sum();
  }

  @Test
  void captureUnderwayWhileItsBaseIsRevisedIsComposedOnTheRevision() {
    try (var world = World.grown(5)) {
      world.clock.advanceMs(EIGHT_DAYS_MS);
      World.Begun begun = world.begin(World.MAIN);
      String before = world.head(World.MAIN).manifestKey();
      world.instance.maintenance.run();
      String revised = world.head(World.MAIN).manifestKey();
      assertThat(revised).isNotEqualTo(before);
      assertThat(BranchKeys.snapshotOf(revised)).isEqualTo(BranchKeys.snapshotOf(before));

      world.commit(begun);

      world.assertEverythingReads();
      world.clock.advanceMs(EIGHT_DAYS_MS);
      world.instance.maintenance.run();
      world.assertEverythingReads();
    }
  }

  @Test
  void captureThatCommitsDuringACompactionWins() {
    try (var world = World.grown(6)) {
      world.clock.advanceMs(EIGHT_DAYS_MS);
      World.Begun begun = world.begin(World.MAIN);
      var done = new AtomicBoolean();
      world.clocked.beforeWrite(key -> {
        if (key.startsWith("branches/main1/manifests/")
            && key.contains(".r")
            && done.compareAndSet(false, true)) {
          world.commit(begun);
        }
      });
      world.instance.maintenance.run();
      world.clocked.beforeWrite(key -> {});

      assertThat(done).isTrue();
      assertThat(BranchKeys.snapshotOf(world.head(World.MAIN).manifestKey()))
          .isEqualTo(begun.snapshot().value());
      world.assertEverythingReads();
      for (int run = 0; run < 3; run++) {
        world.clock.advanceMs(EIGHT_DAYS_MS);
        world.instance.maintenance.run();
      }
      world.assertEverythingReads();
      assertThat(world.orphans()).isEmpty();
    }
  }

  @Test
  void revisionBetweenCompositionAndCommitIsComposedOnAnew() {
    try (var world = World.grown(7)) {
      world.clock.advanceMs(EIGHT_DAYS_MS);
      World.Begun begun = world.begin(World.MAIN);
      var done = new AtomicBoolean();
      world.clocked.beforeWrite(key -> {
        if (key.equals(BranchKeys.manifest(World.MAIN, begun.snapshot()))
            && done.compareAndSet(false, true)) {
          world.instance.maintenance.run();
        }
      });
      world.commit(begun);
      world.clocked.beforeWrite(key -> {});

      assertThat(done).isTrue();
      assertThat(world.instance.meters.get("ebb.page.capture.rebased").counter().count())
          .isEqualTo(1);
      world.assertEverythingReads();
    }
  }

  @Test
  void captureThatTookTooLongDoesNotCommit() {
    try (var world = World.grown(8)) {
      World.Begun begun = world.begin(World.MAIN);
      world.clock.advanceMs(Instance.GRACE_MS / 2 + 1);

      assertThatThrownBy(() -> world.commit(begun)).isInstanceOf(EbbException.Unavailable.class);
      world.assertEverythingReads();
    }
  }

  @Test
  void droppedParentKeepsWhatItsChildUsesUntilThatIsGone() {
    try (var world = World.grown(9)) {
      world.heads.drop(World.MAIN);
      world.instance.collector.deleteDropped(World.MAIN);
      world.assertEverythingReads();
      assertThat(world.objects.list(BranchKeys.prefix(World.MAIN)))
          .as("the tombstone and what the child uses")
          .hasSizeGreaterThan(1);
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      world.instance.collector.collect();
      assertThat(world.orphans()).isEmpty();

      world.heads.drop(World.DEV);
      world.instance.collector.deleteDropped(World.DEV);
      world.removeDatabase();
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      world.instance.maintenance.run();

      assertThat(world.objects.list("branches/")).isEmpty();
      assertThat(world.instance.logsDeleted).containsExactlyInAnyOrder(World.MAIN, World.DEV);
    }
  }

  @Test
  void livingBranchIsNotDeleted() {
    try (var world = World.grown(10)) {
      assertThatThrownBy(() -> world.instance.collector.deleteDropped(World.MAIN))
          .isInstanceOf(EbbException.Conflict.class);
    }
  }

  @Test
  void nothingOfADamagedDatabaseIsCollected() {
    try (var world = World.grown(11)) {
      List<ObjectStore.Listed> index = world.objects.list("branches/main1/index/");
      Set<String> before = keys(world);
      String victim =
          index.isEmpty() ? world.head(World.DEV).manifestKey() : index.getFirst().key();
      world.objects.delete(victim);
      before.remove(victim);

      Maintenance.Report report = world.instance.maintenance.run();

      assertThat(keys(world)).isEqualTo(before);
      assertThat(report.collected().deleted()).isZero();
      assertThat(report.collected().damaged()).isEqualTo(1);
    }
  }

  @Test
  void headThatNoCatalogNamesIsDroppedAfterADay() {
    try (var world = new World(12)) {
      var nameless = new BranchId("nameless1");
      world.branch(nameless, World.MAIN);
      world.commitSome(nameless, 1);
      world.instance.maintenance.run();
      assertThat(world.head(nameless).dropped()).isFalse();

      world.clock.advanceMs(25 * Instance.GRACE_MS);
      world.instance.maintenance.run();
      assertThat(world.head(nameless).dropped()).isTrue();

      world.clock.advanceMs(Instance.GRACE_MS + 1);
      world.instance.maintenance.run();
      assertThat(world.objects.list("branches/nameless1/")).isEmpty();
    }
  }

  @Test
  void periodicRunsOfSeveralInstancesTakeTurns() {
    try (var world = World.grown(13);
        var other = new Instance(world.store, world.clock)) {
      world.instance.maintenance.runPeriodically(Instance.GRACE_MS);
      double runs = runs(world.instance);
      other.maintenance.runPeriodically(Instance.GRACE_MS);
      assertThat(runs(other)).isZero();
      assertThat(runs).isEqualTo(1);

      world.clock.advanceMs(Instance.GRACE_MS);
      other.maintenance.runPeriodically(Instance.GRACE_MS);
      assertThat(runs(other)).isEqualTo(1);
    }
  }

  private static double runs(Instance instance) {
    return instance.meters.get("ebb.page.gc").timer().count();
  }

  /** Tools leave empty objects for directories. */
  @Test
  void whatIsOfNobodyStaysAndKeepsNothingFromBeingCollected() {
    try (World world = World.grown(31)) {
      List<String> foreign = List.of("branches/README", "branches/Backup-1/head");
      foreign.forEach(key -> world.clocked.put(key, new byte[0]));
      world.clock.advanceMs(TimeUnit.HOURS.toMillis(2));

      world.instance.maintenance.run();

      assertThat(world.objects.get("branches/main1/packs/lost-0")).isEmpty();
      assertThat(foreign).allMatch(key -> world.objects.get(key).isPresent());
      world.assertEverythingReads();
    }
  }
}
