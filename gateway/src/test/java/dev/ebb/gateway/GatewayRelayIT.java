package dev.ebb.gateway;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage.Damage;
import dev.ebb.shared.bus.ComputeMessage.Damages;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import io.netty.buffer.PooledByteBufAllocator;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

class GatewayRelayIT {
  private static final int COPY_BYTES = 100 << 20;
  private static final long FLAT_BYTES = 24L << 20;

  @TempDir Path directory;
  private GatewayFixture gateway;

  @BeforeEach
  void start() {
    gateway = new GatewayFixture(directory);
  }

  @AfterEach
  void stop() {
    gateway.close();
    // PostgreSQL does not notice that the client of a sleeping statement is gone.
    gateway.postgres.number(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename ="
            + " 'app'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"disable", "require"})
  void hundredMegabytesGoBothWaysByCopy(String sslMode) throws Exception {
    var properties = new Properties();
    properties.setProperty("sslmode", sslMode);
    try (Connection connection = gateway.jdbc(properties);
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE TEMP TABLE t (line text)");
      var copy = connection.unwrap(PGConnection.class).getCopyAPI();
      long before = pooledBytes();
      copy.copyIn("COPY t FROM STDIN", new Lines());
      try (var result = statement.executeQuery("SELECT sum(length(line) + 1) FROM t")) {
        result.next();
        assertThat(result.getLong(1)).isEqualTo(COPY_BYTES);
      }
      var counter = new CountingStream();
      copy.copyOut("COPY t TO STDOUT", counter);
      assertThat(counter.count).isEqualTo(COPY_BYTES);
      assertThat(pooledBytes() - before).isLessThan(FLAT_BYTES);
    }
    assertThat(
            gateway
                .meters
                .get("ebb.gateway.bytes")
                .tag("direction", "in")
                .functionCounter()
                .count())
        .isGreaterThan(COPY_BYTES);
    assertThat(
            gateway
                .meters
                .get("ebb.gateway.bytes")
                .tag("direction", "out")
                .functionCounter()
                .count())
        .isGreaterThan(COPY_BYTES);
  }

  @Test
  void errorOfADamagedPageNamesTheObjectThatHoldsIt() throws Exception {
    gateway.computes.onDamage =
        () ->
            Future.succeededFuture(
                new Damages(
                    List.of(new Damage("base/5/16384", 7, 1, "pack branches/b/packs/s-0", 1))));
    try (Connection connection = gateway.jdbc(new Properties());
        Statement statement = connection.createStatement()) {
      assertThat(detailOf(statement, "XX001", "invalid page in block 7 of relation base/5/16384"))
          .isEqualTo("pack branches/b/packs/s-0");
      assertThat(detailOf(statement, "XX001", "invalid page in block 8 of relation base/5/16384"))
          .isNull();
      assertThat(detailOf(statement, "22000", "invalid page in block 7 of relation base/5/16384"))
          .isNull();

      // Nobody answers: the error comes as it is, soon.
      gateway.computes.onDamage = () -> Promise.<Damages>promise().future();
      assertThat(detailOf(statement, "XX001", "invalid page in block 7 of relation base/5/16384"))
          .isNull();
      try (var result = statement.executeQuery("SELECT 1")) {
        assertThat(result.next()).isTrue();
      }
    }
  }

  private static @Nullable String detailOf(Statement statement, String sqlState, String message) {
    try {
      statement.execute(
          "DO $$ BEGIN RAISE EXCEPTION '%s' USING errcode = '%s'; END $$"
              .formatted(message, sqlState));
      throw new AssertionError("no error");
    } catch (SQLException e) {
      assertThat(e.getSQLState()).isEqualTo(sqlState);
      ServerErrorMessage error = requireNonNull(((PSQLException) e).getServerErrorMessage());
      assertThat(error.getMessage()).isEqualTo(message);
      return error.getDetail();
    }
  }

  @Test
  void memoryStaysFlatWhenTheClientNeverReads() throws Exception {
    try (var client = RawClient.login(gateway.port, "app", RealPostgres.PASSWORD, "shop")) {
      long before = pooledBytes();
      double sent = bytesOut();
      client.query("SELECT repeat('x', 1000) FROM generate_series(1, 500000)");
      Await.until("the first bytes", () -> bytesOut() > sent + 65_536);
      // The backend stands still once every buffer between it and the client is full.
      Await.until(
          "the backend to wait for the client",
          () ->
              gateway.postgres.number(
                      "SELECT count(*) FROM pg_stat_activity"
                          + " WHERE usename = 'app' AND wait_event = 'ClientWrite'")
                  == 1);
      assertThat(pooledBytes() - before).isLessThan(FLAT_BYTES);
      assertThat(bytesOut() - sent).isLessThan(100L << 20);
      assertThat(gateway.psql("SELECT 'others work'").output()).isEqualTo("others work");
    }
    Await.until("the session to end", () -> gateway.gauge("ebb.gateway.connections") == 0);
    awaitNoBackends();
  }

  private double bytesOut() {
    return gateway
        .meters
        .get("ebb.gateway.bytes")
        .tag("direction", "out")
        .functionCounter()
        .count();
  }

  @Test
  void cancelRequestEndsTheStatement() throws Exception {
    try (Connection connection = gateway.jdbc();
        Statement statement = connection.createStatement()) {
      var failure =
          CompletableFuture.supplyAsync(() -> sqlStateOf(statement, "SELECT pg_sleep(60)"));
      awaitRunning("SELECT pg_sleep(60)");
      statement.cancel();
      assertThat(failure.get()).isEqualTo("57014");
      assertThat(connection.isValid(5)).isTrue();
    }
    assertThat(cancels("forwarded")).isEqualTo(1);
  }

  @Test
  void psqlInterruptedCancels() throws Exception {
    Process psql =
        Psql.start(
            RealPostgres.PASSWORD,
            List.of(
                "psql",
                "-X",
                gateway.psqlTarget("shop", "app", "require"),
                "-c",
                "SELECT pg_sleep(61)"));
    awaitRunning("SELECT pg_sleep(61)");
    new ProcessBuilder("kill", "-INT", "" + psql.pid()).start().waitFor();
    assertThat(
            new String(
                psql.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8))
        .contains("canceling statement due to user request");
  }

  @Test
  void cancelWithAWrongKeyIsIgnored() throws Exception {
    try (var client = RawClient.login(gateway.port, "app", RealPostgres.PASSWORD, "shop")) {
      client.query("SELECT pg_sleep(1), 'finished'");
      try (var other = RawClient.connect(gateway.port)) {
        byte[] wrong = client.secretKey.clone();
        wrong[0]++;
        other.cancel(client.processId, wrong);
        assertThat(other.readToEnd()).isEmpty();
      }
      assertThat(client.readUntilReady()).contains("finished");
    }
    assertThat(cancels("ignored")).isEqualTo(1);
  }

  private double cancels(String outcome) {
    return gateway.meters.get("ebb.gateway.cancels").tag("outcome", outcome).counter().count();
  }

  @Test
  void backendKilledInAStatementIsAnErrorAndTheNextConnectionWorks() throws Exception {
    try (Connection connection = gateway.jdbc();
        Statement statement = connection.createStatement()) {
      var failure =
          CompletableFuture.supplyAsync(() -> sqlStateOf(statement, "SELECT pg_sleep(62)"));
      awaitRunning("SELECT pg_sleep(62)");
      gateway.postgres.number(
          "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
              + " WHERE query = 'SELECT pg_sleep(62)' AND usename = 'app'");
      assertThat(failure.get()).isEqualTo("57P01");
    }
    assertThat(gateway.psql("SELECT 1").output()).isEqualTo("1");
    Await.until("no session", () -> gateway.gauge("ebb.gateway.connections") == 0);
  }

  @Test
  void clientIsToldWhenTheBackendVanishesWithoutAWord() throws Exception {
    try (var backend = new MutePostgres(gateway.postgres.port())) {
      gateway.computes.onWake =
          n -> io.vertx.core.Future.succeededFuture(FakeComputes.ready(backend.port()));
      try (Connection connection = gateway.jdbc();
          Statement statement = connection.createStatement()) {
        var failure =
            CompletableFuture.supplyAsync(() -> sqlStateOf(statement, "SELECT pg_sleep(63)"));
        awaitRunning("SELECT pg_sleep(63)");
        backend.cut();
        assertThat(failure.get()).isEqualTo("08006");
      }
    }
  }

  @Test
  void newerGenerationCutsTheSessionsOfTheOlder() throws Exception {
    try (Connection connection = gateway.jdbc();
        Statement statement = connection.createStatement()) {
      statement.execute("SELECT 1");
      announce(3);
      assertThat(connection.isValid(5)).isTrue();
      announce(4);
      Await.until("the session to end", () -> gateway.gauge("ebb.gateway.connections") == 0);
      assertThatThrownBy(() -> statement.execute("SELECT 1"))
          .isInstanceOf(SQLException.class)
          .hasMessageContaining("the database has moved to another compute");
    }
  }

  private void announce(long generation) {
    var status =
        new ComputeStatus(
            FakeComputes.SHOP,
            new DatabaseId("shop"),
            "shop",
            "main",
            new Generation(generation),
            ComputeStatus.State.RUNNING,
            1,
            1,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            Lsn.INVALID,
            Lsn.INVALID);
    new Bus(gateway.vertx)
        .publish(
            Addresses.HOSTS,
            new HostAnnouncement(FakeComputes.HOST, "127.0.0.1", 1, 1, false, List.of(status)));
  }

  @Test
  void stoppingTellsTheClients() throws Exception {
    try (Connection connection = gateway.jdbc();
        Statement statement = connection.createStatement()) {
      gateway.undeploy();
      assertThat(sqlStateOf(statement, "SELECT 1")).isEqualTo("57P01");
    }
    awaitNoBackends();
  }

  @Test
  void clientThatVanishesInATransactionLeavesNothingBehind() throws Exception {
    try (var client = RawClient.login(gateway.port, "app", RealPostgres.PASSWORD, "shop")) {
      client.query("BEGIN; SELECT 1");
      client.readUntilReady();
    }
    awaitNoBackends();
  }

  @Test
  void whatAClientSentBeforeItLeftIsStillDone() throws Exception {
    gateway.psql("CREATE TABLE IF NOT EXISTS farewell (n int)");
    try (var client = RawClient.login(gateway.port, "app", RealPostgres.PASSWORD, "shop")) {
      client.query("INSERT INTO farewell VALUES (1)");
    }
    Await.until(
        "the row", () -> !gateway.psql("SELECT n FROM farewell LIMIT 1").output().isEmpty());
    gateway.psql("DROP TABLE farewell");
  }

  private void awaitNoBackends() {
    Await.until(
        "the backends to end",
        () ->
            gateway.postgres.number("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")
                == 0);
  }

  private void awaitRunning(String query) {
    Await.until(
        query,
        () ->
            gateway.postgres.number(
                    "SELECT count(*) FROM pg_stat_activity"
                        + " WHERE state = 'active' AND usename = 'app' AND query = '"
                        + query
                        + "'")
                == 1);
  }

  private static String sqlStateOf(Statement statement, String sql) {
    try {
      statement.execute(sql);
      return "success";
    } catch (SQLException e) {
      return String.valueOf(e.getSQLState());
    }
  }

  private static long pooledBytes() {
    return PooledByteBufAllocator.DEFAULT.metric().usedDirectMemory()
        + io.netty.buffer.UnpooledByteBufAllocator.DEFAULT.metric().usedDirectMemory();
  }

  /** COPY text: lines of 1,024 bytes. */
  private static final class Lines extends InputStream {
    private int at;

    @Override
    public int read() {
      if (at >= COPY_BYTES) {
        return -1;
      }
      return at++ % 1024 == 1023 ? '\n' : 'a';
    }

    @Override
    public int read(byte[] into, int offset, int length) {
      int count = 0;
      while (count < length && at < COPY_BYTES) {
        into[offset + count++] = (byte) read();
      }
      return count == 0 ? -1 : count;
    }
  }

  private static final class CountingStream extends OutputStream {
    private long count;

    @Override
    public void write(int b) throws IOException {
      count++;
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      count += length;
    }
  }
}
