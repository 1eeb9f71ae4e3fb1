package dev.ebb.walservice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.Request;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.walservice.broker.EmbeddedBroker;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** The service with a real Kafka and a real PostgreSQL. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class WalServiceIT {
  private static final int SEGMENT = 1 << 20;
  private static final int CHECKPOINT = 32;
  private static final int REDO = 40;
  private static final String STANDBY = "ebb_standby_1";

  @TempDir static Path dir;

  private EmbeddedBroker broker;
  private Vertx vertx;
  private Bus bus;
  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  private TestPostgres postgres;
  private BranchId branch;
  private String address = "";

  @BeforeAll
  void startServices() {
    broker = new EmbeddedBroker(dir.resolve("kafka"), 0);
    broker.start();
    vertx = Vertx.vertx();
    bus = new Bus(vertx);
    deploy();
  }

  private void deploy() {
    var deployed =
        new WalService(
            new LocalObjectStore(dir.resolve("store")),
            WalServiceConfig.embedded(broker, dir.resolve("spool")),
            meters);
    get(vertx.deployVerticle(deployed));
  }

  @AfterAll
  void stopServices() {
    get(vertx.close());
    broker.close();
  }

  @BeforeEach
  void newBranch() {
    postgres = new TestPostgres();
    branch = BranchId.random();
    ask(Addresses.WAL, new WalMessage.CreateLog(branch));
  }

  @AfterEach
  void stopPostgres() {
    postgres.close();
  }

  private static <T> T get(io.vertx.core.Future<T> future) {
    try {
      return future.toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
    } catch (java.util.concurrent.ExecutionException e) {
      if (e.getCause() instanceof EbbException known) {
        throw known;
      }
      throw new IllegalStateException(e);
    } catch (InterruptedException | java.util.concurrent.TimeoutException e) {
      throw new IllegalStateException(e);
    }
  }

  private <R extends BusMessage> R ask(String to, Request<R> request) {
    return get(bus.request(to, request, 50_000));
  }

  /** Opens the first generation of a fresh cluster and starts it with its receiver. */
  private Lsn startFirst() {
    postgres.start("");
    // What a shutdown checkpoint leaves is what pg_control says.
    postgres.stopFast();
    Lsn end = endOfLog();
    Lsn redo = controlLsn(REDO);
    WalMessage.LogOpened opened =
        ask(
            Addresses.WAL,
            new WalMessage.OpenLog(branch, new Generation(1), redo, end, true, true, SEGMENT, -1));
    assertThat(opened.endLsn()).isEqualTo(end);
    address = opened.address();
    postgres.start(STANDBY);
    startReceiver(1, end, STANDBY);
    return end;
  }

  private void startReceiver(long generation, Lsn start, String standby) {
    ask(
        address,
        new WalMessage.StartReceiver(
            branch,
            new Generation(generation),
            start,
            postgres.systemIdentifier(),
            "127.0.0.1",
            postgres.port(),
            "postgres",
            new Secret("unused"),
            new Secret(standby)));
  }

  /**
   * Start of the last checkpoint record, or of its redo: {@code src/include/catalog/pg_control.h}.
   */
  private Lsn controlLsn(int offset) {
    try {
      byte[] control = Files.readAllBytes(postgres.data().resolve("global/pg_control"));
      return new Lsn(ByteBuffer.wrap(control).order(ByteOrder.LITTLE_ENDIAN).getLong(offset));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Behind the checkpoint record of a clean stop, by the record's own length. */
  private Lsn endOfLog() {
    Lsn checkpoint = controlLsn(CHECKPOINT);
    try {
      byte[] segment = Files.readAllBytes(postgres.segment(checkpoint.value() / SEGMENT));
      int at = (int) (checkpoint.value() % SEGMENT);
      int length = Byte.toUnsignedInt(segment[at]) | Byte.toUnsignedInt(segment[at + 1]) << 8;
      return checkpoint.plus((length + 7) & -8);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private WalMessage.DurableLsn durable(long generation) {
    return ask(
        address,
        new WalMessage.AwaitDurable(branch, new Generation(generation), Lsn.INVALID, 1000));
  }

  private byte[] readWal(Lsn from, Lsn to) {
    var all = new ByteArrayOutputStream();
    Lsn at = from;
    while (at.isBefore(to)) {
      byte[] bytes = ask(address, new WalMessage.ReadWal(branch, at, to, 1 << 20)).bytes();
      assertThat(bytes).as("WAL at %s", at).isNotEmpty();
      all.writeBytes(bytes);
      at = at.plus(bytes.length);
    }
    return all.toByteArray();
  }

  /** The primary's own WAL. */
  private byte[] primaryWal(Lsn from, Lsn to) throws IOException {
    var all = new ByteArrayOutputStream();
    for (long segment = from.value() / SEGMENT; segment <= (to.value() - 1) / SEGMENT; segment++) {
      byte[] bytes = Files.readAllBytes(postgres.segment(segment));
      long start = segment * SEGMENT;
      all.writeBytes(
          Arrays.copyOfRange(
              bytes,
              (int) Math.max(0, from.value() - start),
              (int) Math.min(SEGMENT, to.value() - start)));
    }
    return all.toByteArray();
  }

  @Test
  void commitsReturnOnlyWhenDurableAndTheLogHasThePrimarysBytes() throws Exception {
    Lsn start = startFirst();
    postgres.query("create table t (id int primary key, v text)");
    postgres.query("insert into t select i, repeat('x', 200) from generate_series(1, 20000) i");
    Lsn committed = Lsn.parse(postgres.query("select pg_current_wal_flush_lsn()"));
    assertThat(durable(1).lsn()).isGreaterThanOrEqualTo(committed);
    Lsn end = durable(1).lsn();
    assertThat(end.minus(start)).as("crosses segments").isGreaterThan(3 * SEGMENT);
    assertThat(readWal(start, end)).isEqualTo(primaryWal(start, end));
  }

  @Test
  void withoutTheReceiverCommitsWait() {
    startFirst();
    postgres.query("create table t (id int)");
    ask(address, new WalMessage.StopReceiver(branch, new Generation(1), 1000));
    var commit = CompletableFuture.runAsync(() -> postgres.query("insert into t values (1)"));
    Await.until(
        "the commit waits for the standby",
        () ->
            postgres
                .query("select count(*) from pg_stat_activity where wait_event = 'SyncRep'")
                .equals("1"));
    assertThat(commit).isNotDone();
  }

  @Test
  void aNewGenerationFencesAnOldOneThatIsStillAlive() {
    Lsn start = startFirst();
    postgres.query("create table t (id int)");
    Lsn floor = Lsn.parse(postgres.query("select pg_current_wal_flush_lsn()"));
    WalMessage.LogOpened second =
        ask(
            Addresses.WAL,
            new WalMessage.OpenLog(
                branch, new Generation(2), start, floor, false, false, SEGMENT, -1));
    assertThat(second.endLsn()).isGreaterThanOrEqualTo(floor);
    // The same instance stops the old receiver; an old one elsewhere is the topic's business, as
    // anOldInstanceIsFencedByTheTopicAlone shows.
    var commit = CompletableFuture.runAsync(() -> postgres.query("insert into t values (1)"));
    Await.until(
        "the commit waits for the standby",
        () ->
            postgres
                .query("select count(*) from pg_stat_activity where wait_event = 'SyncRep'")
                .equals("1"));
    assertThat(commit).isNotDone();
    assertThatThrownBy(() -> durable(1)).isInstanceOf(EbbException.Fenced.class);
  }

  @Test
  void anOldInstanceIsFencedByTheTopicAlone() {
    Lsn start = startFirst();
    postgres.query("create table t (id int)");
    Lsn floor = Lsn.parse(postgres.query("select pg_current_wal_flush_lsn()"));
    String old = address;
    deploy();
    // Two instances answer the shared address in turn: ask until the other one did.
    WalMessage.LogOpened second;
    do {
      second =
          ask(
              Addresses.WAL,
              new WalMessage.OpenLog(
                  branch, new Generation(2), start, floor, false, false, SEGMENT, -1));
    } while (second.address().equals(old));
    Lsn before = second.endLsn();
    var commit = CompletableFuture.runAsync(() -> postgres.query("insert into t values (1)"));
    Await.until(
        "the old instance is fenced",
        () -> {
          try {
            ask(old, new WalMessage.AwaitDurable(branch, new Generation(1), before.plus(1), 100));
            return false;
          } catch (EbbException.Fenced e) {
            return true;
          } catch (EbbException.Unavailable e) {
            return false;
          }
        });
    assertThat(commit).isNotDone();
  }

  @Test
  void anotherInstanceTakesOverALivingPrimaryInTheMiddleOfItsWal() throws Exception {
    Lsn start = startFirst();
    postgres.query("create table t (id int primary key, v text)");
    postgres.query("insert into t select i, repeat('x', 300) from generate_series(1, 3000) i");
    deploy();
    // Two instances answer the shared address in turn: the one that knows the primary goes on with
    // it, the other one takes it over.
    for (int i = 0; i < 2; i++) {
      address = Addresses.WAL;
      startReceiver(1, start, STANDBY);
    }
    var commit =
        CompletableFuture.runAsync(() -> postgres.query("insert into t values (3001, 'y')"));
    commit.get(30, TimeUnit.SECONDS);
    assertThat(postgres.query("select count(*) from t")).isEqualTo("3001");
    Lsn flushed = Lsn.parse(postgres.query("select pg_current_wal_flush_lsn()"));
    Await.until("all of it is in the log", () -> readsUpTo(start, flushed));
    assertThat(readWal(start, flushed)).isEqualTo(primaryWal(start, flushed));
  }

  private boolean readsUpTo(Lsn from, Lsn to) {
    Lsn last = from.plus(to.minus(from) - 1);
    return ask(address, new WalMessage.ReadWal(branch, last, to, 1)).bytes().length > 0;
  }

  @Test
  void commitsWaitWhileKafkaIsAwayAndGoOnByThemselves() throws Exception {
    startFirst();
    postgres.query("create table t (id int)");
    broker.stop();
    var commit = CompletableFuture.runAsync(() -> postgres.query("insert into t values (1)"));
    assertThatThrownBy(() -> commit.get(4, TimeUnit.SECONDS))
        .isInstanceOf(java.util.concurrent.TimeoutException.class);
    broker.start();
    commit.get(30, TimeUnit.SECONDS);
    assertThat(postgres.query("select count(*) from t")).isEqualTo("1");
    assertThat(durable(1).lsn())
        .isGreaterThanOrEqualTo(Lsn.parse(postgres.query("select pg_current_wal_flush_lsn()")));
  }

  @Test
  void afterACrashTheLogRebuildsTheWalAndTheNextGenerationGoesOn() throws Exception {
    Lsn start = startFirst();
    Lsn redo = controlLsn(REDO);
    postgres.query("create table t (id int primary key, v text)");
    postgres.query("insert into t select i, repeat('y', 300) from generate_series(1, 5000) i");
    Lsn floor = start;
    postgres.kill();

    WalMessage.LogOpened second =
        ask(
            Addresses.WAL,
            new WalMessage.OpenLog(
                branch, new Generation(2), redo, floor, false, false, SEGMENT, -1));
    Lsn end = second.endLsn();
    address = second.address();
    // Lay what the log has over the primary's WAL, and nothing behind it, as a compute does.
    lay(start, readWal(start, end));
    postgres.start("ebb_standby_2");
    startReceiver(2, end, "ebb_standby_2");
    assertThat(postgres.query("select count(*) from t")).isEqualTo("5000");
    postgres.query("insert into t values (5001, 'z')");
    Lsn later = durable(2).lsn();
    assertThat(later).isGreaterThan(end);
    assertThat(readWal(start, later)).isEqualTo(primaryWal(start, later));
    assertThat(postgres.log()).contains("redo done at");
  }

  private void lay(Lsn from, byte[] wal) throws IOException {
    long segment = from.value() / SEGMENT;
    byte[] first = Files.readAllBytes(postgres.segment(segment));
    int kept = (int) (from.value() % SEGMENT);
    int segments = (kept + wal.length + SEGMENT - 1) / SEGMENT;
    byte[] all = new byte[segments * SEGMENT];
    System.arraycopy(first, 0, all, 0, kept);
    System.arraycopy(wal, 0, all, kept, wal.length);
    try (var files = Files.list(postgres.data().resolve("pg_wal"))) {
      for (Path file : files.filter(f -> f.getFileName().toString().length() == 24).toList()) {
        Files.delete(file);
      }
    }
    for (int i = 0; i < segments; i++) {
      Path file = postgres.segment(segment + i);
      Files.write(file, Arrays.copyOfRange(all, i * SEGMENT, (i + 1) * SEGMENT));
      TestPostgres.own(file);
    }
  }

  @Test
  void aFastShutdownEndsTheLogAtTheCheckpointAndTheNextOpenReadsNothing() {
    startFirst();
    postgres.query("create table t (id int)");
    postgres.stopFast();
    Lsn end = endOfLog();
    WalMessage.DurableLsn closed =
        ask(address, new WalMessage.StopReceiver(branch, new Generation(1), 1000));
    assertThat(closed.lsn()).isEqualTo(end);

    long began = System.nanoTime();
    WalMessage.LogOpened second =
        ask(
            Addresses.WAL,
            new WalMessage.OpenLog(
                branch,
                new Generation(2),
                controlLsn(REDO),
                end,
                true,
                true,
                SEGMENT,
                closed.offset()));
    System.out.println("closed open took " + (System.nanoTime() - began) / 1000 + " us");
    assertThat(second.endLsn()).isEqualTo(end);
    address = second.address();
    postgres.start("ebb_standby_2");
    startReceiver(2, end, "ebb_standby_2");
    postgres.query("insert into t values (1)");
    assertThat(durable(2).lsn()).isGreaterThan(end);
  }

  @Test
  void aPrimaryThatWasStartedFromOtherWalIsNeverAcknowledged() {
    startFirst();
    postgres.query("create table t (id int)");
    postgres.stopFast();
    Lsn end = endOfLog();
    WalMessage.DurableLsn closed =
        ask(address, new WalMessage.StopReceiver(branch, new Generation(1), 1000));
    // The snapshot is said to have another last checkpoint than the primary goes on behind.
    WalMessage.LogOpened second =
        ask(
            Addresses.WAL,
            new WalMessage.OpenLog(
                branch,
                new Generation(2),
                controlLsn(REDO).plus(-8),
                end,
                true,
                true,
                SEGMENT,
                closed.offset()));
    address = second.address();
    postgres.start("ebb_standby_2");
    startReceiver(2, end, "ebb_standby_2");
    var commit = CompletableFuture.runAsync(() -> postgres.query("insert into t values (1)"));
    Await.until(
        "the receiver says that the log is corrupt",
        () -> {
          try {
            ask(address, new WalMessage.AwaitDurable(branch, new Generation(2), end.plus(1), 100));
            return false;
          } catch (EbbException.Corrupt e) {
            return true;
          } catch (EbbException.Unavailable e) {
            return false;
          }
        });
    assertThat(commit).isNotDone();
  }
}
