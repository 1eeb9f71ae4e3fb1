package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.ebb.gateway.pool.PoolConfig;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** A gateway that is to stop, and why clients' connections end. */
final class DrainIT {
  @TempDir private Path directory;

  private GatewayFixture start(long drainTimeoutMs) {
    return new GatewayFixture(
        directory,
        config ->
            config
                .withLoops(2)
                .with(new GatewayOperations(null, drainTimeoutMs, false))
                .withPool(0, PoolConfig.DEFAULT));
  }

  private static Connection connect(GatewayFixture gateway, boolean pooled) throws SQLException {
    return pooled ? gateway.pooled() : gateway.jdbc();
  }

  private static long number(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getLong(1);
    }
  }

  /** The SQLSTATE with which a client that goes on asking is thrown out. */
  private static String endOf(Connection client) {
    var state = new AtomicReference<String>();
    Await.until(
        "the client's end",
        () -> {
          try {
            var _ = number(client, "SELECT 1");
            return false;
          } catch (SQLException e) {
            state.set(e.getSQLState());
            return true;
          }
        });
    return state.get();
  }

  private static String stateOf(Throwable error) {
    return ((SQLException) error).getSQLState();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void idleClientsAreToldAndRunningTransactionsEndFirst(boolean pooled) throws Exception {
    try (var gateway = start(30_000);
        var idle = connect(gateway, pooled);
        var busy = connect(gateway, pooled)) {
      assertThat(number(idle, "SELECT 1")).isEqualTo(1);
      busy.setAutoCommit(false);
      assertThat(number(busy, "SELECT 2")).isEqualTo(2);
      var drained = gateway.service.drain();
      assertThat(endOf(idle)).isEqualTo("57P01");
      assertThat(number(busy, "SELECT 3")).isEqualTo(3);
      assertThat(drained.isComplete()).isFalse();
      assertThatThrownBy(() -> connect(gateway, pooled)).hasMessageContaining("refused");
      busy.commit();
      Await.get(drained);
      assertThatThrownBy(() -> number(busy, "SELECT 4"))
          .extracting(DrainIT::stateOf)
          .isEqualTo("57P01");
      assertThat(reason(gateway, "drained")).isEqualTo(2);
    }
  }

  /** What was acknowledged is there, and what was not is not: it was never sent on. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void clientsInALoopLoseNothing(boolean pooled) throws Exception {
    String table = "drained_" + pooled;
    try (var gateway = start(30_000)) {
      try (var setup = gateway.jdbc();
          Statement create = setup.createStatement()) {
        create.execute("CREATE TABLE " + table + " (n bigint)");
      }
      var acknowledged = new AtomicLong();
      try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
        var ends = new ArrayList<Future<String>>();
        for (int i = 0; i < 4; i++) {
          Connection client = connect(gateway, pooled);
          ends.add(threads.submit(() -> insertUntilTheEnd(client, table, acknowledged)));
        }
        Await.until("some to be there", () -> acknowledged.get() > 50);
        Await.get(gateway.service.drain());
        for (Future<String> end : ends) {
          assertThat(end.get(30, TimeUnit.SECONDS)).isEqualTo("57P01");
        }
      }
    }
    // By another gateway: the first one takes no clients any more.
    try (var gateway = start(0);
        var session = gateway.jdbc();
        Statement drop = session.createStatement()) {
      assertThat(number(session, "SELECT count(*) FROM " + table)).isEqualTo(counted(table));
      drop.execute("DROP TABLE " + table);
    }
  }

  private final Map<String, Long> counts = new ConcurrentHashMap<>();

  private long counted(String table) {
    return counts.getOrDefault(table, 0L);
  }

  private String insertUntilTheEnd(Connection client, String table, AtomicLong acknowledged) {
    try (client;
        Statement insert = client.createStatement()) {
      while (true) {
        insert.execute("INSERT INTO " + table + " VALUES (1)");
        acknowledged.incrementAndGet();
        counts.merge(table, 1L, Long::sum);
      }
    } catch (SQLException e) {
      return e.getSQLState();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void transactionsThatTakeTooLongAreEnded(boolean pooled) throws Exception {
    try (var gateway = start(200);
        var busy = connect(gateway, pooled)) {
      busy.setAutoCommit(false);
      assertThat(number(busy, "SELECT 1")).isEqualTo(1);
      Await.get(gateway.service.drain());
      assertThat(number(busy, "SELECT 2")).isEqualTo(2);
      gateway.undeploy();
      assertThatThrownBy(() -> number(busy, "SELECT 3"))
          .extracting(DrainIT::stateOf)
          .isEqualTo("57P01");
      assertThat(reason(gateway, "shutdown")).isEqualTo(1);
    }
  }

  private static double reason(GatewayFixture gateway, String reason) {
    var counter = gateway.meters.find("ebb.gateway.disconnects").tag("reason", reason).counter();
    return counter == null ? 0 : counter.count();
  }

  @Test
  void everyEndLeavesALineWithItsReason() throws Exception {
    var lines = new ListAppender<ILoggingEvent>();
    var logger = (Logger) LoggerFactory.getLogger("dev.ebb.gateway.disconnect");
    lines.start();
    logger.addAppender(lines);
    try (var gateway = start(0)) {
      try (var session = gateway.jdbc()) {
        assertThat(number(session, "SELECT 1")).isEqualTo(1);
      }
      try (var pooled = gateway.pooled()) {
        assertThat(number(pooled, "SELECT 1")).isEqualTo(1);
      }
      Psql.run("wrong", gateway.psqlTarget("shop", "app", "disable"), "-c", "SELECT 1");
      Psql.run("wrong", gateway.psqlTarget("nowhere", "app", "disable"), "-c", "SELECT 1");
      try (var gone = RawClient.login(gateway.poolPort, "app", RealPostgres.PASSWORD, "shop")) {
        gone.query("SELECT 1");
        gone.readUntilReady();
      }
      try (var broken = RawClient.login(gateway.poolPort, "app", RealPostgres.PASSWORD, "shop")) {
        broken.send(new byte[] {'!', 0, 0, 0, 4});
        broken.readToEnd();
      }
      try (var victim = gateway.jdbc()) {
        long pid = number(victim, "SELECT pg_backend_pid()");
        gateway.postgres.sql("SELECT pg_terminate_backend(" + pid + ")");
        assertThatThrownBy(() -> number(victim, "SELECT 1")).isInstanceOf(SQLException.class);
      }
      for (String reason :
          List.of(
              "client_terminated mode=session",
              "client_terminated mode=transaction",
              "login_failed",
              "refused",
              "client_gone mode=transaction",
              "protocol_violation",
              "compute_ended mode=session")) {
        Await.until(reason, () -> has(lines, "reason=" + reason));
      }
      Await.until("both goodbyes", () -> reason(gateway, "client_terminated") == 2);
      Await.until("the failed login", () -> reason(gateway, "login_failed") == 1);
      Await.until("the compute's end", () -> reason(gateway, "compute_ended") == 1);
    } finally {
      logger.detachAppender(lines);
    }
    assertThat(lines.list)
        .map(ILoggingEvent::getFormattedMessage)
        .noneMatch(line -> line.contains(RealPostgres.PASSWORD))
        .anyMatch(line ->
            line.contains("database=shop branch=main role=app address=127.0.0.1:")
                && line.contains("seconds=0.")
                && line.contains("statements="));
  }

  private static boolean has(ListAppender<ILoggingEvent> lines, String text) {
    return List.copyOf(lines.list).stream()
        .anyMatch(line -> line.getFormattedMessage().contains(text));
  }

  @Test
  void statementsAreMeasuredByDatabase() throws Exception {
    try (var gateway = start(0);
        var session = gateway.jdbc();
        var pooled = gateway.pooled()) {
      for (int i = 0; i < 5; i++) {
        assertThat(number(session, "SELECT " + i)).isEqualTo(i);
        assertThat(number(pooled, "SELECT " + i)).isEqualTo(i);
      }
      var latency = gateway.meters.get("ebb.gateway.statement").tag("database", "shop").timer();
      Await.until("all to be counted", () -> latency.count() >= 10);
      assertThat(latency.takeSnapshot().histogramCounts()).hasSizeGreaterThan(10);
      assertThat(latency.max(TimeUnit.SECONDS)).isPositive();
      Await.until(
          "the pool's use to be shown",
          () ->
              gateway
                      .meters
                      .get("ebb.gateway.pool.connections")
                      .tag("state", "idle")
                      .gauge()
                      .value()
                  >= 1);
    }
  }
}
