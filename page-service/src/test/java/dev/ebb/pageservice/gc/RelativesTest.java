package dev.ebb.pageservice.gc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.ObjectStore;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** What a dropped branch's objects owe to the other branches of its database. */
final class RelativesTest {
  private static final BranchId FRESH = new BranchId("fresh1");

  @Test
  void siblingThatIsMadeWhileTheOthersAreLookedAtKeepsWhatItUses() {
    try (var world = new World(12)) {
      world.commitSome(World.MAIN, 6);
      world.branch(World.DEV, World.MAIN);
      var catalog = new Catalog(world.clocked);
      catalog.markReady("shop", World.DATABASE);
      world.heads.drop(World.MAIN);
      var once = new AtomicBoolean();
      world.clocked.beforeRead(key -> {
        if (key.equals(BranchKeys.head(World.DEV)) && once.compareAndSet(false, true)) {
          catalog.changeBranches(
              "shop",
              World.DATABASE,
              tree -> tree.add("fresh", BranchRecord.creating(FRESH, World.DEV, 1)));
          world.branch(FRESH, World.DEV);
          world.heads.drop(World.DEV);
        }
      });

      world.instance.collector.deleteDropped(World.MAIN);

      world.clocked.beforeRead(key -> {});
      assertThat(world.head(FRESH).dropped()).isFalse();
      world.assertEverythingReads();
    }
  }

  /** Nobody knows what it shares; it must not keep the branch from being dropped either. */
  @Test
  void nothingGoesWhereASiblingCannotBeRead() {
    try (var world = World.grown(13)) {
      world.objects.delete(world.head(World.DEV).manifestKey());
      world.heads.drop(World.MAIN);
      List<String> before = keys(world);

      world.instance.collector.deleteDropped(World.MAIN);

      assertThat(keys(world)).isEqualTo(before);
      assertThat(world.head(World.MAIN).dropped()).isTrue();
    }
  }

  private static List<String> keys(World world) {
    return world.objects.list("branches/").stream().map(ObjectStore.Listed::key).toList();
  }
}
