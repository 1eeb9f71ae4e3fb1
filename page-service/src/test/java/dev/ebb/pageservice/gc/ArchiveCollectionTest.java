package dev.ebb.pageservice.gc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.capture.History;
import dev.ebb.shared.archive.ArchiveKey;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.page.Manifest;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Archived WAL goes when no snapshot is left that could be recovered with it. */
final class ArchiveCollectionTest {
  private static final long TO = 40 * World.RECORDS_OF_A_COMMIT;

  private static List<Long> ends(World world, BranchId branch) {
    return world.objects.list(ArchiveKey.prefix(branch)).stream()
        .map(object -> ArchiveKey.parse(object.key()).orElseThrow().to())
        .toList();
  }

  private static long oldestKept(World world, BranchId branch) {
    Manifest head = world.instance.reader.view(world.head(branch).manifestKey()).manifest();
    return Stream.concat(
            Stream.of(head),
            History.unexpired(head, world.clock.millis(), Instance.WINDOW_MS + Instance.GRACE_MS)
                .stream()
                .map(kept -> world.instance.reader.view(kept.manifestKey()).manifest()))
        .mapToLong(Manifest::walOffsetHint)
        .min()
        .orElseThrow();
  }

  @Test
  void walBehindTheOldestSnapshotOfTheWindowStays() {
    try (var world = new World(1)) {
      world.commitSome(World.MAIN, 10);
      world.archive(World.MAIN, TO);
      world.instance.maintenance.run();
      assertThat(ends(world, World.MAIN)).as("young").hasSize(40);

      world.clock.advanceMs(TimeUnit.DAYS.toMillis(8));
      world.commitSome(World.MAIN, 10);
      world.instance.maintenance.run();

      long kept = oldestKept(world, World.MAIN);
      assertThat(kept).isGreaterThan(20);
      assertThat(ends(world, World.MAIN)).hasSizeLessThan(40).allMatch(end -> end > kept);
      assertThat(ends(world, World.MAIN)).contains(kept + World.RECORDS_OF_A_COMMIT, TO);
      world.assertEverythingReads();
    }
  }

  @Test
  void collectionOfWalFencesNoCommit() {
    try (var world = new World(2)) {
      world.commitSome(World.MAIN, 3);
      world.clock.advanceMs(TimeUnit.DAYS.toMillis(8));
      world.commitSome(World.MAIN, 2);
      world.clock.advanceMs(TimeUnit.DAYS.toMillis(8));
      world.commitSome(World.MAIN, 1);
      while (world.instance.maintenance.run().collected().deleted() > 0) {
        world.clock.advanceMs(1);
      }
      world.archive(World.MAIN, TO);
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      long before = world.head(World.MAIN).collectedBefore();
      world.instance.maintenance.run();

      assertThat(ends(world, World.MAIN)).hasSizeLessThan(40);
      assertThat(world.head(World.MAIN).collectedBefore()).isEqualTo(before);
    }
  }

  @Test
  void droppedBranchKeepsNoneAndAChildOfItsOwn() {
    try (var world = new World(3)) {
      world.commitSome(World.MAIN, 4);
      world.branch(World.DEV, World.MAIN);
      world.archive(World.MAIN, TO);
      world.archive(World.DEV, TO);
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      world.heads.drop(World.MAIN);
      world.instance.maintenance.run();

      assertThat(ends(world, World.MAIN)).isEmpty();
      assertThat(ends(world, World.DEV)).as("its snapshot is its parent's").hasSize(40);
    }
  }

  @Test
  void allOfADamagedDatabaseStays() {
    try (var world = new World(4)) {
      world.commitSome(World.MAIN, 2);
      world.clock.advanceMs(TimeUnit.DAYS.toMillis(8));
      world.commitSome(World.MAIN, 2);
      world.archive(World.MAIN, TO);
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      world.objects.put(world.head(World.MAIN).manifestKey(), new byte[] {1, 2, 3});
      world.instance.maintenance.run();

      assertThat(ends(world, World.MAIN)).hasSize(40);
    }
  }

  @Test
  void whatIsNoArchiveObjectIsCollectedAsEver() {
    try (var world = new World(5)) {
      world.commitSome(World.MAIN, 1);
      String rubbish = BranchKeys.prefix(World.MAIN) + "wal/rubbish";
      world.clocked.put(rubbish, new byte[] {1});
      world.clock.advanceMs(Instance.GRACE_MS + 1);
      world.instance.maintenance.run();

      assertThat(world.objects.get(rubbish)).isEmpty();
    }
  }
}
