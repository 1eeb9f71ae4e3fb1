package dev.ebb.walservice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.walservice.broker.EmbeddedBroker;
import dev.ebb.walservice.receive.Receiver;
import dev.ebb.walservice.send.SenderStatus;
import dev.ebb.walservice.send.ServedBranch;
import dev.ebb.walservice.send.WalSenderConfig;
import dev.ebb.walservice.topic.KafkaTopics;
import dev.ebb.walservice.topic.LocalBroker;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Stock clients of the WAL sender: PostgreSQL's own standby, and pg_receivewal. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class StandbyIT {
  private static final int SEGMENT = 1 << 20;
  private static final int CHECKPOINT = 32;
  private static final int REDO = 40;
  private static final long TIMEOUT_MS = 50_000;
  private static final String TOKEN = "an unguessable token";
  private static final Path PG_RECEIVEWAL = Path.of("/usr/bin/pg_receivewal");
  private static final String DIGEST = "select md5(string_agg(t::text, ',' order by id)) from t";

  @TempDir static Path dir;

  private final HeldBack disk = new HeldBack();
  private final BranchId branch0 = BranchId.random();
  private EmbeddedBroker broker;
  private Vertx vertx;
  private BlockingBus bus;
  private WalServiceConfig held;
  private WalService service;
  private String deployment = "";
  private TestPostgres primary;
  private TestPostgres standby;
  private BranchId branch = branch0;
  private String address = "";
  private long systemIdentifier;
  private Lsn start = Lsn.INVALID;

  @BeforeAll
  void startServices() {
    broker = new EmbeddedBroker(dir.resolve("kafka"), 0);
    broker.start();
    disk.broker = broker.local();
    vertx = Vertx.vertx();
    bus = new BlockingBus(new Bus(vertx));
    WalServiceConfig config = WalServiceConfig.embedded(broker, dir.resolve("spool"));
    config =
        new WalServiceConfig(
            config.kafka(),
            disk,
            config.spoolDirectory(),
            config.maxInFlightBytes(),
            config.openTimeout(),
            config.archive(),
            config.primaryTimeout(),
            WalSenderConfig.of("127.0.0.1", 0, new Secret(TOKEN)));
    held = config;
    service = service();
    deployment = BlockingBus.await(vertx.deployVerticle(service), TIMEOUT_MS);
  }

  private WalService service() {
    return new WalService(
        new LocalObjectStore(dir.resolve("store")),
        held,
        new WalService.Outside(
            () -> new KafkaTopics(held.kafka(), held.local()),
            Receiver.Connector.real(held.primaryTimeout()),
            this::find),
        new SimpleMeterRegistry());
  }

  private ServedBranch find(String user) {
    return served(branch, user, systemIdentifier, start);
  }

  /** The one whose name begins with the version that it is said to be. */
  static ServedBranch served(BranchId branch, String user, long systemIdentifier, Lsn idleEnd) {
    int major = user.startsWith("pg15") ? 15 : 18;
    return new ServedBranch(
        branch,
        user,
        systemIdentifier,
        major + ".6",
        18,
        SEGMENT,
        idleEnd,
        List.of(),
        ServedBranch.Hints.none());
  }

  @AfterAll
  void stopServices() {
    BlockingBus.await(vertx.close(), TIMEOUT_MS);
    broker.close();
  }

  /** A primary whose log goes on where its cluster was stopped, and a copy made there. */
  @BeforeEach
  void startPrimary() throws IOException {
    branch = BranchId.random();
    primary = new TestPostgres();
    primary.start("");
    primary.query("create table t (id int primary key, v text)");
    systemIdentifier = primary.systemIdentifier();
    primary.stopFast();
    standby = primary.standby();
    start = endOfLog();
    ask(Addresses.WAL, new WalMessage.CreateLog(branch));
    open(1, true);
  }

  private Lsn open(long generation, boolean closed) throws IOException {
    WalMessage.LogOpened opened =
        ask(
            Addresses.WAL,
            new WalMessage.OpenLog(
                branch,
                new Generation(generation),
                closed ? control(REDO) : start,
                start,
                closed,
                closed,
                SEGMENT,
                -1));
    address = opened.address();
    if (closed) {
      startPrimary(generation, opened.endLsn());
    }
    return opened.endLsn();
  }

  private void startPrimary(long generation, Lsn end) {
    String name = "ebb_standby_" + generation;
    primary.start(name);
    receive(address, generation, end);
  }

  private void receive(String at, long generation, Lsn end) {
    ask(
        at,
        new WalMessage.StartReceiver(
            branch,
            new Generation(generation),
            end,
            systemIdentifier,
            "127.0.0.1",
            primary.port(),
            "postgres",
            new Secret("unused"),
            new Secret("ebb_standby_" + generation)));
  }

  @AfterEach
  void stopPostgres() {
    disk.release();
    standby.close();
    primary.close();
  }

  private <R extends dev.ebb.shared.bus.BusMessage> R ask(
      String to, dev.ebb.shared.bus.Request<R> request) {
    return bus.call(to, request, TIMEOUT_MS);
  }

  private Lsn control(int offset) throws IOException {
    byte[] control = Files.readAllBytes(primary.data().resolve("global/pg_control"));
    return new Lsn(ByteBuffer.wrap(control).order(ByteOrder.LITTLE_ENDIAN).getLong(offset));
  }

  /** Behind the checkpoint record of a clean stop. */
  private Lsn endOfLog() throws IOException {
    Lsn checkpoint = control(CHECKPOINT);
    byte[] segment = Files.readAllBytes(primary.segment(checkpoint.value() / SEGMENT));
    int at = (int) (checkpoint.value() % SEGMENT);
    int length = ByteBuffer.wrap(segment).order(ByteOrder.LITTLE_ENDIAN).getInt(at);
    return checkpoint.plus((length + 7) & -8);
  }

  private void startStandby(int port, String... more) {
    List<String> settings = new ArrayList<>(List.of(more));
    settings.addAll(
        List.of(
            "primary_conninfo=host=127.0.0.1 port="
                + port
                + " user=shop@main password='"
                + TOKEN
                + "' sslmode=prefer application_name=copy",
            "wal_retrieve_retry_interval=100ms",
            "hot_standby_feedback=on",
            "wal_receiver_create_temp_slot=on",
            "wal_receiver_status_interval=1s"));
    standby.start("", settings.toArray(String[]::new));
  }

  private void insert(int from, int count) {
    primary.query(
        "insert into t select i, repeat(md5(i::text), 8) from generate_series("
            + from
            + ", "
            + (from + count - 1)
            + ") i");
  }

  private void awaitEqual() {
    String wanted = primary.query(DIGEST);
    Await.until("the standby has what the primary has", () -> wanted.equals(standby.query(DIGEST)));
  }

  @Test
  void stockStandbyFollowsItsPrimaryOverACrashToTheNextGeneration() throws Exception {
    insert(1, 3_000);
    startStandby(service.senderPort());
    var writing =
        CompletableFuture.runAsync(() -> {
          for (int i = 0; i < 100; i++) {
            insert(10_000 + i * 20, 20);
          }
        });
    writing.get(30, TimeUnit.SECONDS);
    awaitEqual();
    Lsn flushed = Lsn.parse(primary.query("select pg_current_wal_flush_lsn()"));
    Await.until(
        "the standby has said that it applied it",
        () ->
            service.senders().stream()
                .anyMatch(s ->
                    s.application().equals("copy")
                        && s.apply().equals(s.end())
                        && s.end().compareTo(flushed) >= 0));
    assertThat(service.senders()).hasSize(1);

    // The primary dies with WAL that is not whole; what it had sent of it is in the log.
    insert(20_000, 2_000);
    primary.kill();
    Lsn end = open(2, false);
    lay(end);
    startPrimary(2, end);
    insert(30_000, 500);
    awaitEqual();
    assertThat(standby.log()).doesNotContain("PANIC", "incorrect", "unexpected", "could not");
  }

  /** Lays what the log has, and nothing behind it, as a compute does. */
  private void lay(Lsn end) throws IOException {
    long first = start.value() / SEGMENT;
    long last = (end.value() - 1) / SEGMENT;
    try (var files = Files.list(primary.data().resolve("pg_wal"))) {
      for (Path file : files.filter(f -> f.getFileName().toString().length() == 24).toList()) {
        boolean kept =
            file.compareTo(primary.segment(first)) >= 0
                && file.compareTo(primary.segment(last)) <= 0;
        if (!kept) {
          Files.delete(file);
        }
      }
    }
    Path file = primary.segment(last);
    byte[] bytes = Files.readAllBytes(file);
    int used = (int) (end.value() - last * SEGMENT);
    Arrays.fill(bytes, used, bytes.length, (byte) 0);
    Files.write(file, bytes);
  }

  /** Another process serves the branch by its topic alone; it is killed and started again. */
  @Test
  void standbyReconnectsAfterItsSendersProcessWasKilled() throws Exception {
    int port;
    try (var socket = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
      port = socket.getLocalPort();
    }
    Process sender = process(port);
    try {
      startStandby(port);
      insert(1, 500);
      awaitEqual();
      sender.destroyForcibly().waitFor();
      insert(1_000, 3_000);
      assertThat(standby.query("select count(*) from t")).isEqualTo("500");
      sender = process(port);
      insert(5_000, 200);
      awaitEqual();
    } finally {
      sender.destroyForcibly().waitFor();
    }
  }

  private Process process(int port) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx128m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            SenderProcess.class.getName(),
            broker.bootstrapServers(),
            branch.toString(),
            Long.toString(systemIdentifier),
            Integer.toString(port),
            TOKEN,
            dir.resolve("spool-" + port).toString())
        .redirectErrorStream(true)
        .redirectOutput(dir.resolve("sender-" + port + ".log").toFile())
        .start();
  }

  /** Kafka has the records, and shows them to consumers, but they are not on disk yet. */
  @Test
  void standbyNeverShowsWhatIsNotDurable() throws Exception {
    startStandby(service.senderPort());
    insert(1, 10);
    awaitEqual();
    Lsn before = service.senders().getFirst().sent();
    disk.hold();
    var commit = CompletableFuture.runAsync(() -> insert(100, 10));
    Await.until("the write waits for the disk", disk::isWaitedFor);
    KafkaTopics topics =
        new KafkaTopics(
            dev.ebb.walservice.topic.KafkaConfig.oneReplica(broker.bootstrapServers()), null);
    try {
      Await.until(
          "consumers see it",
          () -> topics.endOffset(branch, java.time.Duration.ofSeconds(5)) > disk.offset);
    } finally {
      topics.close();
    }
    // A second, in which a sender that is asleep looks for news by itself.
    long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(1_500);
    while (System.nanoTime() - until < 0) {
      assertThat(standby.query("select count(*) from t")).isEqualTo("10");
    }
    SenderStatus held = service.senders().getFirst();
    assertThat(held.sent()).isEqualTo(before);
    assertThat(commit).isNotDone();
    disk.release();
    commit.get(20, TimeUnit.SECONDS);
    awaitEqual();
  }

  /** Debian's, of version 15: the branch says that it is of the same version. */
  @Test
  void stockPgReceivewalWritesThePrimarysSegments() throws Exception {
    assumeThat(PG_RECEIVEWAL).exists();
    Path into = Files.createDirectory(dir.resolve("received"));
    Process receiving = receive(into);
    try {
      Await.until("it streams", () -> !service.senders().isEmpty());
      insert(1, 6_000);
      Lsn end = Lsn.parse(primary.query("select pg_switch_wal()"));
      insert(10_000, 1_000);
      long first = start.value() / SEGMENT + 1;
      long last = end.value() / SEGMENT;
      assertThat(last).isGreaterThan(first);
      Await.until("the segments are there", () -> Files.exists(received(into, last)));
      new ProcessBuilder("kill", "-INT", Long.toString(receiving.pid())).start().waitFor();
      assertThat(receiving.waitFor()).isZero();
      // It goes on where it was, with the partial file that it left.
      receiving = receive(into);
      Lsn later = Lsn.parse(primary.query("select pg_switch_wal()"));
      insert(20_000, 10);
      Await.until("the next one, too", () -> Files.exists(received(into, later.value() / SEGMENT)));
      for (long segment = first; segment <= later.value() / SEGMENT; segment++) {
        assertThat(received(into, segment)).hasSameBinaryContentAs(primary.segment(segment));
      }
      byte[] begun = Files.readAllBytes(received(into, first - 1));
      byte[] original = Files.readAllBytes(primary.segment(first - 1));
      int from = (int) (start.value() % SEGMENT);
      assertThat(Arrays.copyOfRange(begun, from, SEGMENT))
          .isEqualTo(Arrays.copyOfRange(original, from, SEGMENT));
    } finally {
      receiving.destroyForcibly().waitFor();
    }
  }

  private Path received(Path into, long segment) {
    return into.resolve(primary.segment(segment).getFileName());
  }

  private Process receive(Path into) throws IOException {
    var builder =
        new ProcessBuilder(
            PG_RECEIVEWAL.toString(),
            "-D",
            into.toString(),
            "-s",
            "1",
            "-d",
            "host=127.0.0.1 port=" + service.senderPort() + " user=pg15@main sslmode=prefer");
    builder.environment().put("PGPASSWORD", TOKEN);
    return builder
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(dir.resolve("receivewal.log").toFile()))
        .start();
  }

  /** Of the receiver's slot; empty where it has none. */
  private String heldBack(String column) {
    return primary.query(
        "select coalesce("
            + column
            + "::text, '') from pg_replication_slots where slot_name='ebb'");
  }

  private static String first(Statement statement, String sql) throws SQLException {
    try (ResultSet rows = statement.executeQuery(sql)) {
      rows.next();
      return rows.getString(1);
    }
  }

  /**
   * The standby is connected to another instance than that which writes the log, and gives queries
   * no time: only what the primary keeps for them saves them.
   */
  @Test
  void vacuumKeepsWhatAQueryOnAStandbyNeedsAndNoLonger() throws Exception {
    insert(1, 2_000);
    assertThat(heldBack("xmin")).isEmpty();
    var second = service();
    String other = BlockingBus.await(vertx.deployVerticle(second), TIMEOUT_MS);
    try {
      startStandby(second.senderPort(), "max_standby_streaming_delay=0");
      awaitEqual();
      try (Connection connection = standby.connect();
          Statement query = connection.createStatement()) {
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        String oldest = first(query, "select pg_snapshot_xmin(pg_current_snapshot())");
        insert(10_000, 1);
        insert(10_001, 1);
        Await.until("the primary knows what is needed", () -> heldBack("xmin").equals(oldest));
        assertThat(heldBack("catalog_xmin")).isEmpty();
        primary.query("delete from t where id % 2 = 1");
        primary.query("vacuum (truncate off) t");
        awaitEqual();
        assertThat(first(query, "select count(*) from t")).isEqualTo("2000");
        assertThat(heldBack("xmin")).isEqualTo(oldest);
        connection.rollback();
        Await.until("it is held back no longer", () -> !heldBack("xmin").equals(oldest));
      }
      // Held by a standby all the time that it is connected, as at any primary.
      assertThat(heldBack("xmin")).isNotEmpty();
      standby.kill();
      Await.until("nothing is held back", () -> heldBack("xmin").isEmpty());
    } finally {
      BlockingBus.await(vertx.undeploy(other), TIMEOUT_MS);
    }
  }

  /** A slot keeps what was said over the end of whoever said it. */
  @Test
  void nextReceiverTakesBackWhatTheLastOneSaid() {
    startStandby(service.senderPort());
    Await.until("it is held back", () -> !heldBack("xmin").isEmpty());
    BlockingBus.await(vertx.undeploy(deployment), TIMEOUT_MS);
    standby.kill();
    assertThat(heldBack("xmin")).isNotEmpty();

    service = service();
    deployment = BlockingBus.await(vertx.deployVerticle(service), TIMEOUT_MS);
    receive(Addresses.WAL, 1, start);
    Await.until("it is taken back", () -> heldBack("xmin").isEmpty());
    insert(1, 10);
  }

  /** The embedded broker, whose disk can be slow. */
  private static final class HeldBack implements LocalBroker {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private @Nullable LocalBroker broker;
    private boolean held;
    private int waiting;
    volatile long offset = -1;

    void hold() {
      set(true);
    }

    void release() {
      set(false);
    }

    private void set(boolean now) {
      lock.lock();
      try {
        held = now;
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }

    boolean isWaitedFor() {
      lock.lock();
      try {
        return waiting > 0;
      } finally {
        lock.unlock();
      }
    }

    private LocalBroker broker() {
      return java.util.Objects.requireNonNull(broker);
    }

    @Override
    public long append(ProducerRecord<byte[], byte[]> record) {
      long appended = broker().append(record);
      offset = appended;
      return appended;
    }

    @Override
    public void forget(String topic) {
      broker().forget(topic);
    }

    @Override
    public void sync(String topic, long from, long to) throws IOException {
      lock.lock();
      try {
        waiting++;
        while (held) {
          changed.awaitUninterruptibly();
        }
        waiting--;
      } finally {
        lock.unlock();
      }
      broker().sync(topic, from, to);
    }
  }
}
