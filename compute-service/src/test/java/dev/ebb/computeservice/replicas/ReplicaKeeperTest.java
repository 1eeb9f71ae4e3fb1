package dev.ebb.computeservice.replicas;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicaReady;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.ReplicaStatus;
import dev.ebb.shared.store.InMemoryObjectStore;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One host, whose replicas live as long as the test says. Time passes when the test says so. */
final class ReplicaKeeperTest {
  private static final HostId HOST = new HostId("host1");
  private static final Duration STEP = Duration.ofMillis(100);

  private final Vertx vertx = Vertx.vertx();
  private final Bus bus = new Bus(vertx);
  private final Catalog catalog = new Catalog(new InMemoryObjectStore());
  private final DatabaseId database = DatabaseId.random();
  private final BranchId branch = BranchId.random();
  private final FleetView fleet =
      new FleetView(Clock.fixed(Instant.parse("2026-01-01T00:00:00Z"), ZoneOffset.UTC));

  /** All that were started, in their order. */
  private final List<ReplicaId> started = new CopyOnWriteArrayList<>();

  private long nanos;
  private ReplicaKeeper keeper;

  @BeforeEach
  void make() {
    catalog.create(DatabaseRecord.creating(database, "shop", "app", 1, branch));
    catalog.markReady("shop", database);
    catalog.changeBranches("shop", database, tree -> tree.replicas("main", branch, 1));
    bus.answer(Addresses.host(HOST), this::answer);
    fleet.accept(new HostAnnouncement(HOST, "127.0.0.1", 9, 10, false, List.of()));
    keeper =
        new ReplicaKeeper(HOST, fleet, new BlockingBus(bus), catalog, Runnable::run, () -> nanos);
  }

  private Future<? extends BusMessage> answer(BusMessage message) {
    if (!(message instanceof ComputeMessage.StartReplica start)) {
      return Future.failedFuture(new EbbException.Invalid("not expected: " + message));
    }
    var id = ReplicaId.random();
    started.add(id);
    return Future.succeededFuture(new ReplicaReady(start.branch(), id, HOST, 5433, 1));
  }

  @AfterEach
  void close() {
    vertx.close().toCompletionStage().toCompletableFuture().join();
  }

  private ReplicaStatus running(ReplicaId id) {
    return new ReplicaStatus(
        id,
        branch,
        database,
        "shop",
        "main",
        ComputeStatus.State.RUNNING,
        5433,
        1,
        1,
        0,
        0,
        0,
        0,
        0,
        Lsn.INVALID,
        Lsn.INVALID,
        0,
        0);
  }

  /** Time passes, while the host tells of these. */
  private void pass(Duration time, List<ReplicaId> alive) {
    for (Duration passed = Duration.ZERO; passed.compareTo(time) < 0; passed = passed.plus(STEP)) {
      nanos += STEP.toNanos();
      var told =
          new ReplicaAnnouncement(HOST, "127.0.0.1", alive.stream().map(this::running).toList());
      fleet.accept(told);
      keeper.heard(told);
      keeper.look();
    }
  }

  @Test
  void replicaThatDiesRightBehindEachGoodStartIsNotStartedAllTheTime() {
    pass(Duration.ofSeconds(63), List.of());
    assertThat(started).as("at once, at once, and behind 0.5, 1, 2, 4, 8, 16 s").hasSize(8);

    // One that lives is left alone, and is replaced at once when it dies then.
    List<ReplicaId> last = List.of(started.getLast());
    pass(Duration.ofSeconds(100), last);
    assertThat(started).hasSize(8);
    pass(STEP, List.of());
    assertThat(started).hasSize(9);
  }
}
