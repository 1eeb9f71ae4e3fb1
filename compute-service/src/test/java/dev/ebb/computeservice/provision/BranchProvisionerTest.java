package dev.ebb.computeservice.provision;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage.CreateBranch;
import dev.ebb.shared.bus.ComputeMessage.DropBranch;
import dev.ebb.shared.bus.ComputeMessage.RenameBranch;
import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.RestoreBranch;
import dev.ebb.shared.bus.ComputeMessage.StopReplica;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.bus.PageMessage.DeleteBranchObjects;
import dev.ebb.shared.bus.WalMessage.DeleteLog;
import dev.ebb.shared.bus.WalMessage.ForkLog;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.ReplicaStatus;
import dev.ebb.shared.page.Manifest;
import io.vertx.core.Future;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Branches that are made while something happens to them or to their parents. */
final class BranchProvisionerTest {
  private static final CreateBranch CREATE =
      new CreateBranch("shop", "dev", "main", BranchPoint.at(new Lsn(0x2800)));

  private final World world = new World();
  private final Manifest first = world.snapshot("s1", 0x2000, false, Duration.ofMinutes(50));

  @AfterEach
  void close() {
    world.close();
  }

  private Map<String, BranchRecord> listed() {
    return world.catalog.find("shop").orElseThrow().branches();
  }

  private List<BranchId> copied() {
    return world.asked.stream()
        .filter(ForkLog.class::isInstance)
        .map(asked -> ((ForkLog) asked).child())
        .toList();
  }

  @Test
  void branchIsMadeAgainWhereItsParentLetGoOfWhatItBeganFrom() {
    Manifest second = world.snapshot("s2", 0x2400, false, Duration.ofMinutes(40), first);
    world.head(second);
    // Once, as if compacted: the same snapshot under another key.
    Manifest revised = world.snapshot("s2r1", 0x2400, false, Duration.ofMinutes(40), first);
    var copies = new AtomicInteger();
    world.before =
        request -> {
          if (request instanceof ForkLog && copies.incrementAndGet() == 1) {
            world.commit(revised);
          }
        };

    BranchId made = world.branches.create(CREATE).branch();

    assertThat(copied()).hasSize(2).endsWith(made);
    BranchId given = copied().getFirst();
    assertThat(world.heads.read(made).orElseThrow().head().manifestKey())
        .isEqualTo(World.key("s2r1"));
    assertThat(world.heads.read(given).orElseThrow().head().dropped()).isTrue();
    assertThat(world.asked).contains(new DeleteLog(given), new DeleteBranchObjects(given));
    assertThat(listed().get("dev"))
        .extracting(BranchRecord::id, BranchRecord::state)
        .containsExactly(made, BranchRecord.State.READY);
  }

  @Test
  void branchIsGivenUpWhereItsParentLetsGoEachTime() {
    world.head(first);
    var copies = new AtomicInteger();
    world.before =
        request -> {
          if (request instanceof ForkLog) {
            world.commit(
                world.snapshot(
                    "s1r" + copies.incrementAndGet(), 0x2000, false, Duration.ofMinutes(50)));
          }
        };

    assertThatThrownBy(() -> world.branches.create(CREATE))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("5 attempts")
        .hasMessageContaining("try again");

    assertThat(listed()).containsOnlyKeys("main");
    assertThat(copied())
        .hasSize(5)
        .allMatch(child -> world.heads.read(child).orElseThrow().head().dropped());
  }

  @Test
  void creationThatADropMetSaysSoAndLeavesNothing() {
    world.head(first);
    world.before =
        request -> {
          if (request instanceof ForkLog) {
            world.branches.drop(new DropBranch("shop", "dev", false));
          }
        };

    assertThatThrownBy(() -> world.branches.create(CREATE))
        .isInstanceOf(EbbException.Conflict.class)
        .hasMessageContaining("shop@dev was dropped while it was being created");

    assertThat(listed()).containsOnlyKeys("main");
    BranchId child = copied().getFirst();
    assertThat(world.heads.read(child).orElseThrow().head().dropped()).isTrue();
    assertThat(world.asked.stream().filter(new DeleteLog(child)::equals)).hasSize(2);
  }

  /** Whatever the drop has taken away so far is what the creation stumbles over. */
  @Test
  void creationThatADropIsAtSaysSoAndNotWhatItMissed() {
    world.head(first);
    world.before =
        request -> {
          if (request instanceof ForkLog fork) {
            world.catalog.changeBranches(
                "shop", World.SHOP, tree -> tree.dropping("dev", fork.child(), false));
            throw new EbbException.NotFound("there is no such topic");
          }
        };

    assertThatThrownBy(() -> world.branches.create(CREATE))
        .isInstanceOf(EbbException.Conflict.class)
        .hasMessageContaining("shop@dev was dropped while it was being created");

    assertThat(world.catalog.find("shop").orElseThrow().tree().require("dev").state())
        .as("whoever drops it ends it")
        .isEqualTo(BranchRecord.State.DROPPING);
  }

  /**
   * Of a branch that cannot be read nobody knows what it shares: it must not outlive the others.
   */
  @Test
  void allBranchesOfADatabaseEndBeforeTheFirstOnesObjectsGo() {
    world.head(first);
    BranchId child = world.branches.create(CREATE).branch();
    world.before =
        request -> {
          if (request instanceof DeleteBranchObjects) {
            for (BranchId branch : List.of(World.MAIN, child)) {
              if (!world.heads.read(branch).orElseThrow().head().dropped()) {
                throw new EbbException.Corrupt("branch " + branch + " is damaged");
              }
            }
          }
        };

    world.databases.drop("shop", false);

    assertThat(world.catalog.find("shop")).isEmpty();
    assertThat(world.asked)
        .contains(new DeleteBranchObjects(World.MAIN), new DeleteBranchObjects(child));
  }

  private static final HostId ELSEWHERE = new HostId("host2");
  private static final ReplicaId REPLICA = new ReplicaId("replica1");

  private void announceReplica(BranchId branch) {
    world.fleet.accept(
        new ReplicaAnnouncement(
            ELSEWHERE,
            "127.0.0.1",
            List.of(
                new ReplicaStatus(
                    REPLICA,
                    branch,
                    World.SHOP,
                    "shop",
                    "dev",
                    ComputeStatus.State.RUNNING,
                    5434,
                    1,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    Lsn.INVALID,
                    Lsn.INVALID,
                    0,
                    0))));
  }

  /** It died a moment ago: nobody has missed it yet. */
  @Test
  void hostOfReplicasThatIsGoneHoldsNeitherARenamingNorADropUp() {
    world.head(first);
    BranchId child = world.branches.create(CREATE).branch();
    announceReplica(child);
    new Bus(world.vertx).answer(Addresses.COMPUTE, request -> Future.succeededFuture(new Ok()));

    world.branches.rename(new RenameBranch("shop", "dev", "test"));
    world.branches.drop(new DropBranch("shop", "test", false));

    assertThat(listed()).containsOnlyKeys("main");
    assertThat(world.asked).contains(new DeleteLog(child), new DeleteBranchObjects(child));
  }

  /** For a moment gateways may still send sessions to the branch that the name meant. */
  @Test
  void replicasOfWhatWasRestoredHaveEndedByThen() {
    world.head(first);
    announceReplica(World.MAIN);
    var ended = new CopyOnWriteArrayList<BusMessage>();
    new Bus(world.vertx)
        .answer(
            Addresses.host(ELSEWHERE),
            request -> {
              ended.add(request);
              return Future.succeededFuture(new Ok());
            });

    world.branches.restore(new RestoreBranch("shop", "main", BranchPoint.at(new Lsn(0x2800))));

    assertThat(ended).containsExactly(new StopReplica(REPLICA));
  }
}
