package dev.ebb.walservice.send;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.walservice.Await;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.protocol.Frame;
import dev.ebb.walservice.record.WalPages;
import dev.ebb.walservice.topic.MemoryTopics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyDual;

/** The WAL sender over sockets, with pgjdbc and with rubbish; topics in memory. */
final class WalSenderIT {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final Lsn FIRST = new Lsn(0x2000000);
  private static final Lsn BEGIN_OFFSET = new Lsn(0);
  private static final String TOKEN = "an unguessable token";
  private static final long SEED = 20261123;

  @TempDir private Path directory;

  private final MemoryTopics topics = new MemoryTopics();
  private final BranchId branch = BranchId.random();
  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  private final WalPages wal = new WalPages(FIRST);
  private Lsn begin = BEGIN_OFFSET;
  private WalSender sender;

  private final DurableEnds ends =
      new DurableEnds() {
        @Override
        public long durableEnd(BranchId asked, boolean fresh, Duration timeout) {
          return topics.durableEndOffset(asked, timeout);
        }

        @Override
        public void awaitMoreThan(BranchId asked, long end, Duration timeout)
            throws InterruptedException {
          Thread.sleep(Duration.ofMillis(2));
        }
      };

  @BeforeEach
  void start() {
    topics.create(branch, TIMEOUT);
    wal.add(100_000);
    begin = wal.end();
    wal.add(50_000);
    wal.add(200);
    var term = new Term(new Generation(1), 1);
    append(LogRecord.fence(term));
    append(LogRecord.start(term, begin, 0));
    append(LogRecord.wal(term, begin, Arrays.copyOfRange(wal.bytes(), at(begin), at(wal.end()))));
    sender = open(Duration.ofSeconds(60));
  }

  private WalSender open(Duration timeout) {
    return open(new WalSenderConfig("127.0.0.1", 0, false, new Secret(TOKEN), timeout, 4));
  }

  private WalSender open(WalSenderConfig config) {
    return new WalSender(
        config,
        user -> {
          if (!user.equals("shop@main")) {
            throw new EbbException.NotFound("branch \"" + user + "\" does not exist");
          }
          return new ServedBranch(
              branch,
              user,
              42,
              "18.6",
              18,
              WalPages.SEGMENT,
              begin,
              List.of(),
              ServedBranch.Hints.none());
        },
        WalSender.fromTopics(topics, ends, directory),
        meters);
  }

  private static int at(Lsn lsn) {
    return (int) lsn.minus(FIRST);
  }

  private void append(LogRecord record) {
    topics.append(branch, record, (offset, error) -> assertThat(error).isNull());
  }

  @AfterEach
  void stop() {
    sender.close();
  }

  private Connection connect(String user, String password) throws SQLException {
    return connect(user, password, "");
  }

  private Connection connect(String user, String password, String options) throws SQLException {
    var settings = new Properties();
    if (!options.isEmpty()) {
      settings.setProperty("options", options);
    }
    settings.setProperty("user", user);
    settings.setProperty("password", password);
    settings.setProperty("replication", "true");
    settings.setProperty("assumeMinServerVersion", "14");
    settings.setProperty("preferQueryMode", "simple");
    settings.setProperty("ApplicationName", "tester");
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + sender.port() + "/replication?sslmode=prefer", settings);
  }

  private Connection connect() throws SQLException {
    return connect("shop@main", TOKEN);
  }

  private static @Nullable String query(Connection connection, String command, String column)
      throws SQLException {
    try (var statement = connection.createStatement();
        ResultSet row = statement.executeQuery(command)) {
      assertThat(row.next()).isTrue();
      return row.getString(column);
    }
  }

  private static String stateOf(Connection connection, String command) {
    try (var statement = connection.createStatement()) {
      statement.execute(command);
      return "";
    } catch (SQLException e) {
      return e.getSQLState();
    }
  }

  private static CopyDual stream(Connection connection, Lsn from) throws SQLException {
    return connection
        .unwrap(PGConnection.class)
        .getCopyAPI()
        .copyDual("START_REPLICATION PHYSICAL " + from + " TIMELINE 1");
  }

  @Test
  void commandsAreAnsweredAsPostgresAnswersThem() throws Exception {
    try (Connection connection = connect()) {
      assertThat(query(connection, "IDENTIFY_SYSTEM", "systemid")).isEqualTo("42");
      assertThat(query(connection, "IDENTIFY_SYSTEM", "timeline")).isEqualTo("1");
      assertThat(query(connection, "IDENTIFY_SYSTEM", "xlogpos")).isEqualTo(wal.end().toString());
      assertThat(query(connection, "IDENTIFY_SYSTEM", "dbname")).isNull();
      assertThat(query(connection, "SHOW wal_segment_size", "wal_segment_size")).isEqualTo("1MB");
      assertThat(query(connection, "SHOW data_directory_mode", "data_directory_mode"))
          .isEqualTo("0700");
      assertThat(query(connection, "READ_REPLICATION_SLOT s", "slot_type")).isNull();
      assertThat(query(connection, "CREATE_REPLICATION_SLOT s TEMPORARY PHYSICAL", "slot_name"))
          .isEqualTo("s");
      assertThat(stateOf(connection, "CREATE_REPLICATION_SLOT s TEMPORARY PHYSICAL"))
          .isEqualTo("42710");
      assertThat(stateOf(connection, "DROP_REPLICATION_SLOT s")).isEmpty();
      assertThat(stateOf(connection, "CREATE_REPLICATION_SLOT s PHYSICAL")).isEqualTo("0A000");
      assertThat(stateOf(connection, "DROP_REPLICATION_SLOT s")).isEqualTo("42704");
      assertThat(stateOf(connection, "SHOW nothing")).isEqualTo("42704");
      assertThat(stateOf(connection, "TIMELINE_HISTORY 1")).isEqualTo("58P01");
      assertThat(stateOf(connection, "BASE_BACKUP")).isEqualTo("0A000");
      assertThat(stateOf(connection, "select 1")).isEqualTo("0A000");
      assertThat(stateOf(connection, "SHOW '")).isEqualTo("42601");
      assertThat(stateOf(connection, "START_REPLICATION SLOT s " + begin)).isEqualTo("42704");
      assertThat(stateOf(connection, "START_REPLICATION 0/1000000 TIMELINE 1")).isEqualTo("58P01");
      assertThat(stateOf(connection, "START_REPLICATION " + begin + " TIMELINE 2"))
          .isEqualTo("XX000");
      assertThat(stateOf(connection, "START_REPLICATION FF/0 TIMELINE 1")).isEqualTo("XX000");
      assertThat(query(connection, "IDENTIFY_SYSTEM", "systemid")).isEqualTo("42");
    }
  }

  @Test
  void streamsFromAnywhereReportsItsClientAndGoesOnAfterCopyDone() throws Exception {
    Lsn from = begin.plus(12_345);
    try (Connection connection = connect()) {
      CopyDual stream = stream(connection, from);
      byte[] got = receive(stream, from, at(wal.end()) - at(from));
      assertThat(got).isEqualTo(Arrays.copyOfRange(wal.bytes(), at(from), at(wal.end())));
      status(stream, wal.end(), wal.end().plus(-8));
      Await.until(
          "the status is seen",
          () ->
              sender.senders().stream()
                  .anyMatch(s -> s.flush().equals(wal.end()) && s.lagBytes() == 8));
      // What was sent is counted behind the write: its answer may come first.
      Await.until(
          "what was sent is counted",
          () -> meters.get("ebb.wal.sender.sent").counter().count() >= got.length);
      SenderStatus seen = sender.senders().getFirst();
      assertThat(seen.application()).isEqualTo("tester");
      assertThat(seen.branch()).isEqualTo(branch);
      assertThat(seen.bytesSent()).isEqualTo(got.length);
      assertThat(seen.end()).isEqualTo(wal.end());
      assertThat(meters.get("ebb.wal.senders").gauge().value()).isEqualTo(1);
      assertThat(meters.get("ebb.wal.sender.sent").counter().count()).isEqualTo(got.length);
      stream.endCopy();
      assertThat(sender.senders()).isEmpty();
      assertThat(query(connection, "IDENTIFY_SYSTEM", "systemid")).isEqualTo("42");
      CopyDual again = stream(connection, begin);
      assertThat(receive(again, begin, 100)).startsWith(bytesFrom(begin, 100));
    }
    Await.until("the connection is gone", () -> sender.senders().isEmpty());
  }

  private byte[] bytesFrom(Lsn from, int length) {
    return Arrays.copyOfRange(wal.bytes(), at(from), at(from) + length);
  }

  /** Who writes files gets whole ones; a standby keeps what it has before the log's beginning. */
  @Test
  void firstSegmentIsMadeUpForThoseWhoAskForItsSize() throws Exception {
    try (Connection connection = connect()) {
      assertThat(receive(stream(connection, FIRST), begin, 100)).startsWith(bytesFrom(begin, 100));
    }
    try (Connection connection = connect()) {
      query(connection, "SHOW wal_segment_size", "wal_segment_size");
      byte[] got = receive(stream(connection, FIRST), FIRST, wal.bytes().length);
      assertThat(Arrays.copyOf(got, 40)).isEqualTo(Arrays.copyOf(wal.bytes(), 40));
      assertThat(Arrays.copyOfRange(got, 8192, 9000)).containsOnly(0);
      assertThat(Arrays.copyOfRange(got, at(begin), got.length))
          .isEqualTo(Arrays.copyOfRange(wal.bytes(), at(begin), got.length));
    }
  }

  /** A standby asks from a segment's beginning, though its snapshot recovers from behind it. */
  @Test
  void whoSaysWhatItHasIsNotSentThatAgain() throws Exception {
    Lsn has = begin.plus(20_000);
    try (Connection connection = connect("shop@main", TOKEN, "-c ebb.has=" + has)) {
      assertThat(receive(stream(connection, FIRST), has, 100)).startsWith(bytesFrom(has, 100));
    }
    try (Connection connection = connect("shop@main", TOKEN, "-c ebb.has=" + has)) {
      Lsn later = has.plus(500);
      assertThat(receive(stream(connection, later), later, 100))
          .as("what is behind it")
          .startsWith(bytesFrom(later, 100));
    }
    assertThatThrownBy(() -> connect("shop@main", TOKEN, "-c ebb.has=all").close())
        .isInstanceOfSatisfying(
            SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo("22023"));
  }

  /** It could not know otherwise where the end is. */
  @Test
  void whoHasAllIsToldSoAtOnce() throws Exception {
    try (Connection connection = connect()) {
      ByteBuffer message = ByteBuffer.wrap(stream(connection, wal.end()).readFromCopy(true));
      assertThat((char) message.get()).isEqualTo('k');
      assertThat(new Lsn(message.getLong())).isEqualTo(wal.end());
    }
  }

  /** It catches up with that before it serves; the log is read in pieces, long before its end. */
  @Test
  void whoAskedForTheEndIsToldItWithTheFirstOfTheWal() throws Exception {
    appendMuch(30);
    try (Connection connection = connect()) {
      assertThat(query(connection, "IDENTIFY_SYSTEM", "xlogpos")).isEqualTo(wal.end().toString());
      CopyDual stream = stream(connection, begin);
      ByteBuffer message = ByteBuffer.wrap(stream.readFromCopy(true));
      while (message.get() != 'w') {
        message = ByteBuffer.wrap(stream.readFromCopy(true));
      }
      assertThat(new Lsn(message.getLong())).isEqualTo(begin);
      assertThat(new Lsn(message.getLong())).isEqualTo(wal.end());
    }
  }

  private static byte[] receive(CopyDual stream, Lsn from, int wanted) throws SQLException {
    var all = ByteBuffer.allocate(wanted + (128 << 10));
    while (all.position() < wanted) {
      ByteBuffer message = ByteBuffer.wrap(stream.readFromCopy(true));
      if (message.get() == 'w') {
        assertThat(new Lsn(message.getLong())).isEqualTo(from.plus(all.position()));
        message.position(25);
        all.put(message);
      }
    }
    return Arrays.copyOf(all.array(), all.position());
  }

  private static void status(CopyDual stream, Lsn flush, Lsn apply) throws SQLException {
    byte[] message =
        ByteBuffer.allocate(34)
            .put((byte) 'r')
            .putLong(flush.value())
            .putLong(flush.value())
            .putLong(apply.value())
            .array();
    stream.writeToCopy(message, 0, message.length);
    stream.flushCopy();
  }

  @Test
  void wrongPasswordIsRefusedBeforeAnythingIsToldOfBranches() {
    assertThatThrownBy(() -> connect("shop@main", "wrong"))
        .isInstanceOfSatisfying(
            SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo("28P01"));
    assertThatThrownBy(() -> connect("nobody", "wrong"))
        .isInstanceOfSatisfying(
            SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo("28P01"));
    assertThatThrownBy(() -> connect("nobody", TOKEN))
        .isInstanceOfSatisfying(
            SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo("3D000"));
    assertThat(meters.get("ebb.wal.sender.refused").counter().count()).isEqualTo(2);
  }

  @Test
  void silentClientIsEndedAndOneThatAnswersIsNot() throws Exception {
    sender.close();
    sender = open(Duration.ofMillis(600));
    try (Connection silent = connect();
        Connection alive = connect()) {
      CopyDual mute = stream(silent, wal.end());
      CopyDual talking = stream(alive, wal.end());
      assertThat(sender.senders()).hasSize(2);
      boolean asked = false;
      for (int i = 0; i < 3; i++) {
        ByteBuffer message = ByteBuffer.wrap(talking.readFromCopy(true));
        asked |= message.get(0) == 'k' && message.get(17) == 1;
        status(talking, wal.end(), wal.end());
      }
      assertThat(asked).isTrue();
      assertThatThrownBy(
              () -> {
                while (mute.readFromCopy(true) != null) {
                  // until the connection is lost
                }
                throw new SQLException("it ended");
              })
          .isInstanceOf(SQLException.class);
      status(talking, wal.end(), wal.end());
      Await.until("the silent one is gone", () -> sender.senders().size() == 1);
    }
  }

  @Test
  void droppedBranchAndStoppedServiceEndTheirStreams() throws Exception {
    try (Connection connection = connect()) {
      CopyDual stream = stream(connection, wal.end());
      sender.drop(branch);
      // pgjdbc waits behind the error for more, and then tells of the end of the connection.
      assertThatThrownBy(() -> readToEnd(stream)).isInstanceOf(SQLException.class);
      Await.until("the stream is over", () -> sender.senders().isEmpty());
    }
    try (Connection connection = connect()) {
      CopyDual stream = stream(connection, wal.end());
      sender.close();
      assertThatThrownBy(() -> readToEnd(stream)).isInstanceOf(SQLException.class);
    }
  }

  private static void readToEnd(CopyDual stream) throws SQLException {
    while (stream.isActive() && stream.readFromCopy(true) != null) {
      // keepalives
    }
  }

  /** More than is read ahead. */
  private void appendMuch(int records) {
    var term = new Term(new Generation(1), 1);
    Lsn before = wal.end();
    for (int i = 0; i < records; i++) {
      wal.add(800_000);
    }
    byte[] more = Arrays.copyOfRange(wal.bytes(), at(before), at(wal.end()));
    for (int i = 0; i < more.length; i += 500_000) {
      byte[] piece = Arrays.copyOfRange(more, i, Math.min(i + 500_000, more.length));
      append(LogRecord.wal(term, before.plus(i), piece));
    }
  }

  @Test
  void slowStandbyHoldsNothingUpAndGetsAllOfItLater() throws Exception {
    appendMuch(12);
    try (Connection slow = connect();
        Connection fast = connect()) {
      CopyDual sleeping = stream(slow, begin);
      int length = at(wal.end()) - at(begin);
      assertThat(receive(stream(fast, begin), begin, length)).hasSize(length);
      SenderStatus held =
          sender.senders().stream()
              .min(java.util.Comparator.comparingLong(SenderStatus::bytesSent))
              .orElseThrow();
      assertThat(held.bytesSent()).isLessThan(length);
      assertThat(receive(sleeping, begin, length)).isEqualTo(bytesFrom(begin, length));
    }
  }

  @Test
  void moreClientsThanThereIsRoomForAreToldSo() throws Exception {
    try (Connection a = connect();
        Connection b = connect();
        Connection c = connect();
        Connection d = connect()) {
      assertThatThrownBy(this::connect)
          .isInstanceOfSatisfying(
              SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo("53300"));
      assertThat(List.of(a, b, c, d)).hasSize(4);
    }
  }

  /** They do not even have a place to lose: only who has the password takes one. */
  @Test
  void connectionsThatDoNotLogInKeepNobodyOut() throws Exception {
    List<Socket> silent = new ArrayList<>();
    try (Connection standby = connect()) {
      CopyDual stream = stream(standby, begin);
      for (int i = 0; i < 3 * WalSender.MAX_LOGINS; i++) {
        silent.add(new Socket(InetAddress.getLoopbackAddress(), sender.port()));
      }
      try (Connection late = connect()) {
        assertThat(query(late, "IDENTIFY_SYSTEM", "systemid")).isEqualTo("42");
        assertThat(receive(stream(late, begin), begin, 100)).startsWith(bytesFrom(begin, 100));
      }
      assertThat(receive(stream, begin, 100)).startsWith(bytesFrom(begin, 100));
      // The newest of them may take their time as ever.
      Socket newest = silent.getLast();
      newest.setSoTimeout(10_000);
      newest.getOutputStream().write(ByteBuffer.allocate(8).putInt(8).putInt(80877103).array());
      assertThat((char) newest.getInputStream().read()).isEqualTo('N');
      assertThat(meters.get("ebb.wal.sender.crowded.out").counter().count())
          .isGreaterThanOrEqualTo(2.0 * WalSender.MAX_LOGINS);
    } finally {
      for (Socket socket : silent) {
        socket.close();
      }
    }
  }

  @Test
  void portInUseIsAnErrorUnlessAnyOtherWillDo() {
    var config = WalSenderConfig.of("127.0.0.1", sender.port(), new Secret(TOKEN));
    assertThatThrownBy(() -> open(config).close())
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("cannot listen on port " + sender.port());
    var other =
        new WalSenderConfig(
            config.host(),
            config.port(),
            true,
            config.token(),
            config.timeout(),
            config.maxSenders());
    try (WalSender beside = open(other)) {
      assertThat(beside.port()).isPositive().isNotEqualTo(sender.port());
    }
  }

  /** Each of them gets an error or is cut off; none hangs, and the server goes on. */
  @Test
  void rubbishEndsItsConnection() throws Exception {
    var random = new Random(SEED);
    for (int i = 0; i < 60; i++) {
      var bytes = new byte[1 + random.nextInt(3_000)];
      random.nextBytes(bytes);
      if (i % 3 == 0 && bytes.length > 8) {
        ByteBuffer.wrap(bytes).putInt(bytes.length).putInt(0x30000);
      } else if (i % 3 == 1 && bytes.length > 8) {
        ByteBuffer.wrap(bytes).putInt(8).putInt(80877103);
      }
      try (var socket = new Socket(InetAddress.getLoopbackAddress(), sender.port())) {
        socket.setSoTimeout(10_000);
        socket.getOutputStream().write(bytes);
        socket.shutdownOutput();
        assertThat(socket.getInputStream().readAllBytes().length).isLessThan(1_000);
      } catch (java.net.SocketTimeoutException e) {
        throw new AssertionError("it hangs on rubbish " + i, e);
      } catch (IOException e) {
        // reset: it did not read on
      }
    }
    try (Connection connection = connect()) {
      assertThat(query(connection, "IDENTIFY_SYSTEM", "systemid")).isEqualTo("42");
    }
  }

  @Test
  void requestsForEncryptionAreRefusedWithOneByte() throws Exception {
    try (var socket = new Socket(InetAddress.getLoopbackAddress(), sender.port())) {
      socket.setSoTimeout(10_000);
      var in = new DataInputStream(socket.getInputStream());
      for (int code : new int[] {80877103, 80877104}) {
        socket.getOutputStream().write(ByteBuffer.allocate(8).putInt(8).putInt(code).array());
        assertThat((char) in.readByte()).isEqualTo('N');
      }
      socket.getOutputStream().write(ByteBuffer.allocate(8).putInt(8).putInt(80877103).array());
      assertThat((char) in.readByte()).isEqualTo('N');
      Frame error = Objects.requireNonNull(Frame.read(in, Frame.MAX_BYTES));
      assertThat(error.type()).isEqualTo('E');
    }
  }
}
