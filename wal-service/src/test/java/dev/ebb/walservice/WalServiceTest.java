package dev.ebb.walservice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.walservice.topic.KafkaConfig;
import dev.ebb.walservice.topic.MemoryTopics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import java.net.ConnectException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two instances on one bus, with topics in memory and a primary that cannot be reached. */
final class WalServiceTest {
  private static final long TIMEOUT_MS = 10_000;
  private static final Lsn END = new Lsn(0x20000A0);

  @TempDir private Path directory;

  private final MemoryTopics topics = new MemoryTopics();
  private final Vertx vertx = Vertx.vertx();
  private final BlockingBus bus = new BlockingBus(new Bus(vertx));
  private final List<SimpleMeterRegistry> meters = new ArrayList<>();

  @BeforeEach
  void deployTwo() {
    for (int i = 0; i < 2; i++) {
      var registry = new SimpleMeterRegistry();
      meters.add(registry);
      var service =
          new WalService(
              new LocalObjectStore(directory.resolve("store")),
              WalServiceConfig.of(KafkaConfig.oneReplica("unused:1"), directory),
              new WalService.Outside(
                  () -> topics,
                  (primary, start) -> {
                    throw new SQLException("refused", "08001", new ConnectException("refused"));
                  },
                  user -> {
                    throw new EbbException.NotFound(user);
                  }),
              registry);
      BlockingBus.await(vertx.deployVerticle(service), TIMEOUT_MS);
    }
  }

  @AfterEach
  void close() {
    BlockingBus.await(vertx.close(), TIMEOUT_MS);
  }

  private double receivers() {
    return meters.stream().mapToDouble(one -> one.get("ebb.wal.receivers").gauge().value()).sum();
  }

  /** Opens a new branch at whichever instance answers; they take turns. */
  private WalMessage.LogOpened open(BranchId branch) {
    topics.create(branch, Duration.ofSeconds(1));
    return bus.call(
        Addresses.WAL,
        new WalMessage.OpenLog(
            branch, new Generation(1), new Lsn(0x2000028), END, true, true, 1 << 20, -1),
        TIMEOUT_MS);
  }

  @Test
  void logThatAnotherInstanceHoldsIsDeletedAndItsReceiverStops() {
    BranchId branch = BranchId.random();
    String holder = open(branch).address();
    bus.call(
        holder,
        new WalMessage.StartReceiver(
            branch,
            new Generation(1),
            END,
            7,
            "127.0.0.1",
            1,
            "ebb_admin",
            new Secret("password"),
            new Secret("standby")),
        TIMEOUT_MS);
    assertThat(receivers()).isEqualTo(1);
    String other = holder;
    for (int i = 0; i < 10 && other.equals(holder); i++) {
      other = open(BranchId.random()).address();
    }
    assertThat(other).isNotEqualTo(holder);

    bus.call(other, new WalMessage.DeleteLog(branch), TIMEOUT_MS);

    assertThatThrownBy(() -> topics.endOffset(branch, Duration.ofSeconds(1)))
        .isInstanceOf(EbbException.NotFound.class);
    Await.until("the end of the receiver", () -> receivers() == 0);
    assertThatThrownBy(() ->
            bus.call(
                holder,
                new WalMessage.AwaitDurable(branch, new Generation(1), Lsn.INVALID, 100),
                TIMEOUT_MS))
        .isInstanceOf(EbbException.NotFound.class);
  }
}
