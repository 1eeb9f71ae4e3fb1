package dev.ebb.walservice;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.Request;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.walservice.StallingProxy.Way;
import dev.ebb.walservice.broker.EmbeddedBroker;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The network between a primary and the WAL service that receives it is cut, or lets nothing pass,
 * both ways or one. Commits wait, both ends give the connection up in bounded time, and once the
 * network is healed commits go on by themselves.
 */
@Timeout(120)
final class NetworkIT {
  private static final int SEGMENT = 1 << 20;
  private static final int CHECKPOINT = 32;
  private static final String STANDBY = "ebb_standby_1";
  private static final String WALSENDERS = "select count(*) from pg_stat_replication";
  private static final String WAITING =
      "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";

  @TempDir private static Path dir;
  private static EmbeddedBroker broker;
  private static Vertx vertx;
  private static BlockingBus bus;
  private static TestPostgres postgres;
  private static StallingProxy network;

  @BeforeAll
  static void start() throws Exception {
    broker = new EmbeddedBroker(dir.resolve("kafka"), 0);
    broker.start();
    vertx = Vertx.vertx();
    bus = new BlockingBus(new Bus(vertx));
    var service =
        new WalService(
            new LocalObjectStore(dir.resolve("store")),
            WalServiceConfig.embedded(broker, dir.resolve("spool"))
                .withPrimaryTimeout(Duration.ofSeconds(2)),
            new SimpleMeterRegistry());
    BlockingBus.await(vertx.deployVerticle(service), 30_000);
    postgres = new TestPostgres();
    postgres.start("");
    // What a shutdown checkpoint leaves is what pg_control says.
    postgres.stopFast();
    var branch = BranchId.random();
    ask(Addresses.WAL, new WalMessage.CreateLog(branch));
    Lsn checkpoint = checkpoint();
    Lsn end = endOfRecord(checkpoint);
    WalMessage.LogOpened opened =
        ask(
            Addresses.WAL,
            new WalMessage.OpenLog(
                branch, new Generation(1), checkpoint, end, true, true, SEGMENT, -1));
    postgres.start(STANDBY, "wal_sender_timeout=2s");
    network = new StallingProxy(postgres.port());
    ask(
        opened.address(),
        new WalMessage.StartReceiver(
            branch,
            new Generation(1),
            end,
            postgres.systemIdentifier(),
            "127.0.0.1",
            network.port(),
            "postgres",
            new Secret("unused"),
            new Secret(STANDBY)));
    postgres.query("create table t (id int)");
  }

  @AfterAll
  static void stop() throws Exception {
    if (network != null) {
      network.close();
    }
    if (postgres != null) {
      postgres.close();
    }
    if (vertx != null) {
      BlockingBus.await(vertx.close(), 60_000);
    }
    if (broker != null) {
      broker.close();
    }
  }

  private static <R extends BusMessage> R ask(String to, Request<R> request) {
    return bus.call(to, request, 50_000);
  }

  /** Start of the last checkpoint record: {@code src/include/catalog/pg_control.h}. */
  private static Lsn checkpoint() throws IOException {
    byte[] control = Files.readAllBytes(postgres.data().resolve("global/pg_control"));
    return new Lsn(ByteBuffer.wrap(control).order(ByteOrder.LITTLE_ENDIAN).getLong(CHECKPOINT));
  }

  private static Lsn endOfRecord(Lsn start) throws IOException {
    byte[] segment = Files.readAllBytes(postgres.segment(start.value() / SEGMENT));
    int at = (int) (start.value() % SEGMENT);
    int length = ByteBuffer.wrap(segment).order(ByteOrder.LITTLE_ENDIAN).getInt(at);
    return start.plus((length + 7) & -8);
  }

  private static CompletableFuture<Void> insert() {
    return CompletableFuture.runAsync(() -> postgres.query("insert into t values (1)"));
  }

  private static int rows() {
    return Integer.parseInt(postgres.query("select count(*) from t"));
  }

  static Stream<List<Way>> ways() {
    return Stream.of(
        List.of(Way.TO_SERVER, Way.TO_CLIENT), List.of(Way.TO_SERVER), List.of(Way.TO_CLIENT));
  }

  /** Without a word from the network: nobody is told that the other one is not reached. */
  @ParameterizedTest
  @MethodSource("ways")
  void bothEndsGiveAStalledConnectionUpAndCommitsGoOnOnceItIsHealed(List<Way> ways)
      throws Exception {
    insert().get(30, TimeUnit.SECONDS);
    int before = rows();
    int connections = network.accepted();
    network.stall(ways);
    CompletableFuture<Void> commit = insert();
    Await.until("wait of the commit", () -> postgres.query(WAITING).equals("1"));
    Await.until("the primary gives it up", () -> postgres.query(WALSENDERS).equals("0"));
    Await.until("the receiver gives it up", () -> network.accepted() > connections);
    assertThat(commit).isNotDone();
    assertThat(rows()).as("rows that others see").isEqualTo(before);

    network.heal();

    commit.get(60, TimeUnit.SECONDS);
    assertThat(rows()).isEqualTo(before + 1);
  }

  @Test
  void stallThatEndsInTimeIsNoMoreThanAWait() throws Exception {
    insert().get(30, TimeUnit.SECONDS);
    int before = rows();
    network.stall(List.of(Way.TO_SERVER, Way.TO_CLIENT));
    CompletableFuture<Void> commit = insert();
    Await.until("wait of the commit", () -> postgres.query(WAITING).equals("1"));
    network.heal();
    commit.get(60, TimeUnit.SECONDS);
    assertThat(rows()).isEqualTo(before + 1);
  }

  @Test
  void connectionThatIsCutIsMadeAgain() throws Exception {
    for (int i = 0; i < 5; i++) {
      int before = rows();
      network.cut();
      insert().get(60, TimeUnit.SECONDS);
      assertThat(rows()).isEqualTo(before + 1);
    }
  }
}
