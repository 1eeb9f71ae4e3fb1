package dev.ebb.computeservice.provision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.PageMessage.DeleteBranchObjects;
import dev.ebb.shared.bus.WalMessage.DeleteLog;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Lsn;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What somebody began and died over. */
final class LeftoversTest {
  private static final BranchId MAKING = new BranchId("making1");
  private static final BranchId DROPPING = new BranchId("dropping1");

  private final World world = new World();
  private final AtomicLong nanos = new AtomicLong();
  private final Leftovers leftovers =
      new Leftovers(
          world.catalog,
          new Leftovers.Clearing() {
            @Override
            public void clear(DatabaseRecord database) {
              world.databases.clear(database);
            }

            @Override
            public void clear(DatabaseRecord database, String name, BranchRecord branch) {
              world.branches.clear(database, name, branch.id());
            }
          },
          nanos::get);

  @BeforeEach
  void leave() {
    world.head(world.snapshot("s1", 0x2000, false, Duration.ofMinutes(50)));
    world.catalog.changeBranches(
        "shop",
        World.SHOP,
        tree ->
            tree.add("making", BranchRecord.creating(MAKING, World.MAIN, 1))
                .add("dropping", BranchRecord.creating(DROPPING, World.MAIN, 1))
                .ready("dropping", DROPPING, new Lsn(0x2000))
                .dropping("dropping", DROPPING, false));
  }

  @AfterEach
  void close() {
    world.close();
  }

  private void pass(Duration time) {
    nanos.addAndGet(time.toNanos());
  }

  @Test
  void branchThatIsLongInTheMakingOrBeingDroppedIsCleared() {
    leftovers.sweep();
    pass(Leftovers.PATIENCE.minusSeconds(1));
    leftovers.sweep();
    assertThat(world.catalog.find("shop").orElseThrow().branches())
        .as("somebody may be at it")
        .containsOnlyKeys("main", "making", "dropping");

    pass(Duration.ofSeconds(1));
    leftovers.sweep();

    assertThat(world.catalog.find("shop").orElseThrow().branches()).containsOnlyKeys("main");
    assertThat(world.asked)
        .contains(
            new DeleteLog(MAKING),
            new DeleteLog(DROPPING),
            new DeleteBranchObjects(MAKING),
            new DeleteBranchObjects(DROPPING));
  }

  @Test
  void branchThatIsReadyByNowIsLeftAlone() {
    leftovers.sweep();
    pass(Leftovers.PATIENCE);
    world.catalog.changeBranches(
        "shop", World.SHOP, tree -> tree.ready("making", MAKING, new Lsn(0x2000)));
    leftovers.sweep();
    assertThat(world.catalog.find("shop").orElseThrow().branches())
        .containsOnlyKeys("main", "making");

    // And one that was made ready between the look and the clearing.
    DatabaseRecord before = world.catalog.find("shop").orElseThrow();
    assertThat(before.tree().require("making").state()).isEqualTo(BranchRecord.State.READY);
    org.assertj.core.api.Assertions.assertThatThrownBy(
            () -> world.branches.clear(before, "making", MAKING))
        .isInstanceOf(EbbException.Conflict.class);
  }

  @Test
  void databaseThatNobodyGoesOnWithIsCleared() {
    var id = new DatabaseId("blog1");
    var main = new BranchId("blogmain1");
    world.catalog.create(DatabaseRecord.creating(id, "blog", "app", 1, main));
    leftovers.sweep();
    pass(Leftovers.PATIENCE);

    leftovers.sweep();

    assertThat(world.catalog.find("blog")).isEmpty();
    assertThat(world.asked).contains(new DeleteLog(main));
    assertThat(world.catalog.find("shop")).isPresent();
  }

  @Test
  void oneThatCannotBeClearedKeepsNoOther() {
    world.before =
        request -> {
          if (request.equals(new DeleteLog(DROPPING))) {
            throw new EbbException.Unavailable("Kafka is away");
          }
        };
    leftovers.sweep();
    pass(Leftovers.PATIENCE);
    leftovers.sweep();
    assertThat(world.catalog.find("shop").orElseThrow().branches())
        .containsOnlyKeys("main", "dropping");

    world.before = request -> {};
    leftovers.sweep();
    assertThat(world.catalog.find("shop").orElseThrow().branches()).containsOnlyKeys("main");
  }
}
