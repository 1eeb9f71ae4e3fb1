package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.gateway.pool.PoolConfig;
import dev.ebb.shared.model.Secret;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.util.PSQLException;

/** The admin console, with libpq's client and with pgjdbc. */
final class ConsoleIT {
  private static final String TOKEN = "console-token-for-tests";

  /** Not the common pool: on two cores it has one thread. */
  private static final Executor THREADS = task -> Thread.ofVirtual().start(task);

  @TempDir private static Path directory;
  private static GatewayFixture gateway;

  @BeforeAll
  static void start() {
    gateway =
        new GatewayFixture(
            directory,
            config ->
                config
                    .withLoops(2)
                    .with(new GatewayOperations(new Secret(TOKEN), 30_000, false))
                    .withPool(0, PoolIT.withSize(PoolConfig.DEFAULT, 4)));
  }

  @AfterAll
  static void stop() {
    gateway.close();
  }

  /** A test that failed must not make others wait. */
  @AfterEach
  void resumeAll() throws SQLException {
    try (var console = console()) {
      run(console, "RESUME");
    } catch (PSQLException e) {
      assertThat(e.getSQLState()).isEqualTo("55000");
    }
  }

  private static Psql psql(int port, String password, String... arguments) {
    return Psql.run(
        password,
        "host=127.0.0.1 port=" + port + " dbname=ebb user=ebb_admin sslmode=disable",
        arguments);
  }

  private static Connection console(String... settings) throws SQLException {
    return console(gateway.port, settings);
  }

  private static Connection console(int port, String... settings) throws SQLException {
    var properties = new Properties();
    properties.setProperty("user", "ebb_admin");
    properties.setProperty("password", TOKEN);
    properties.setProperty("sslmode", "disable");
    for (int i = 0; i < settings.length; i += 2) {
      properties.setProperty(settings[i], settings[i + 1]);
    }
    return DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + port + "/ebb", properties);
  }

  private static void run(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  /** One column of the rows in which another one has a value. */
  private static List<String> column(
      Connection connection, String sql, String column, String where, String value)
      throws SQLException {
    var found = new ArrayList<String>();
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      while (row.next()) {
        if (value.equals(row.getString(where))) {
          found.add(row.getString(column));
        }
      }
    }
    return found;
  }

  private static String value(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getString(1);
    }
  }

  @Test
  void psqlIsShownEverythingOnBothPorts() {
    for (int port : new int[] {gateway.port, gateway.poolPort}) {
      for (String table :
          "HELP POOLS CLIENTS SERVERS STATS DATABASES CONFIG VERSION LISTS".split(" ", -1)) {
        Psql shown = psql(port, TOKEN, "-c", "show " + table + ";");
        assertThat(shown.exit()).as("SHOW %s: %s", table, shown.output()).isZero();
        assertThat(shown.output()).doesNotContain(TOKEN);
      }
    }
    assertThat(psql(gateway.port, TOKEN, "-c", "SHOW CONFIG").output())
        .contains("gateway.maxConnections|20000|20000|no");
    assertThat(psql(gateway.port, TOKEN, "-c", "SHOW CLIENTS").output())
        .contains("|ebb_admin|ebb|console|");
    Psql several = psql(gateway.port, TOKEN, "-c", "BEGIN; SHOW VERSION; COMMIT -- all of it\n;");
    assertThat(several.exit()).as(several.output()).isZero();
    assertThat(several.output()).contains("Ebb").contains("COMMIT");
  }

  @Test
  void whatItDoesNotKnowIsAnErrorWithAHintAndTheSessionGoesOn() throws SQLException {
    try (var console = console()) {
      assertThatThrownBy(() -> run(console, "SELECT * FROM pg_class"))
          .isInstanceOfSatisfying(
              PSQLException.class,
              error -> {
                assertThat(error.getSQLState()).isEqualTo("42601");
                assertThat(error.getMessage()).contains("Hint: SHOW HELP");
              });
      assertThatThrownBy(() -> run(console, "SHOW everything"))
          .extracting(error -> ((SQLException) error).getSQLState())
          .isEqualTo("42704");
      assertThatThrownBy(() -> run(console, "PAUSE nowhere"))
          .extracting(error -> ((SQLException) error).getSQLState())
          .isEqualTo("3D000");
      assertThatThrownBy(() -> run(console, "KILL 123456789"))
          .extracting(error -> ((SQLException) error).getSQLState())
          .isEqualTo("42704");
      assertThatThrownBy(() -> console.prepareStatement("SHOW ?").executeQuery())
          .isInstanceOf(SQLException.class);
      assertThat(value(console, "SHOW VERSION")).startsWith("Ebb");
    }
  }

  @Test
  void driversFindWhatTheyNeed() throws SQLException {
    for (String mode :
        List.of("simple", "extended", "extendedForPrepared", "extendedCacheEverything")) {
      try (var console = console("preferQueryMode", mode, "prepareThreshold", "1")) {
        assertThat(console.isValid(5)).isTrue();
        console.setAutoCommit(false);
        assertThat(value(console, "SELECT 1")).isEqualTo("1");
        console.commit();
        console.setAutoCommit(true);
        assertThat(console.getTransactionIsolation())
            .isEqualTo(Connection.TRANSACTION_READ_COMMITTED);
        run(console, "SET extra_float_digits = 3");
        run(console, "");
        try (var clients = console.prepareStatement("SHOW CLIENTS")) {
          for (int i = 0; i < 3; i++) {
            // From the second time on pgjdbc wants numbers in binary form.
            try (ResultSet row = clients.executeQuery()) {
              assertThat(row.next()).isTrue();
              assertThat(row.getLong("id")).isPositive();
              assertThat(row.getBoolean("pinned")).isIn(true, false);
            }
          }
        }
      }
    }
  }

  @Test
  void whoDoesNotKnowTheTokenIsRefusedAsByADatabase() throws SQLException {
    double before = failures();
    Psql refused = psql(gateway.port, "wrong", "-c", "SHOW VERSION");
    assertThat(refused.exit()).isEqualTo(2);
    assertThat(refused.output())
        .contains("password authentication failed for user \"ebb_admin\"")
        .doesNotContain("Ebb");
    assertThat(failures()).isEqualTo(before + 1);
    // The role is nobody's in a database, token or not.
    assertThat(
            Psql.run(TOKEN, gateway.psqlTarget("shop", "ebb_admin", "disable"), "-c", "SELECT 1")
                .output())
        .contains("password authentication failed");
  }

  private static double failures() {
    return gateway.meters.get("ebb.gateway.logins").tag("outcome", "failed").counter().count();
  }

  @Test
  void withoutATokenThereIsNoConsoleAndADatabaseOfItsNameIsNotHidden() throws Exception {
    try (var bare = new GatewayFixture(directory)) {
      assertThat(psql(bare.port, TOKEN, "-c", "SHOW VERSION").output())
          .contains("database \"ebb\" does not exist");
    }
    gateway.postgres.sql("CREATE DATABASE ebb OWNER app");
    gateway.branches.put("ebb@main", FakeComputes.SHOP);
    try {
      Psql own =
          Psql.run(
              RealPostgres.PASSWORD,
              gateway.psqlTarget("ebb", "app", "disable"),
              "-c",
              "SELECT current_database()");
      assertThat(own.output()).isEqualTo("ebb");
    } finally {
      gateway.branches.remove("ebb@main");
      gateway.postgres.sql("DROP DATABASE ebb WITH (FORCE)");
    }
  }

  @Test
  void clientsOfAllEventLoopsAreShown() throws SQLException {
    var open = new ArrayList<Connection>();
    try (var console = console()) {
      for (int i = 0; i < 4; i++) {
        open.add(gateway.jdbc());
        Connection pooled = gateway.pooled();
        open.add(pooled);
        pooled.setAutoCommit(false);
        assertThat(value(pooled, "SELECT 1")).isEqualTo("1");
      }
      assertThat(column(console, "SHOW CLIENTS", "state", "mode", "session"))
          .containsExactly("idle", "idle", "idle", "idle");
      assertThat(column(console, "SHOW CLIENTS", "state", "mode", "transaction"))
          .containsExactly("active", "active", "active", "active");
      assertThat(column(console, "SHOW CLIENTS", "user", "mode", "transaction")).contains("app");
      assertThat(column(console, "SHOW SERVERS", "state", "mode", "transaction"))
          .containsExactly("active", "active", "active", "active");
      assertThat(column(console, "SHOW SERVERS", "state", "mode", "session")).hasSize(4);
      assertThat(column(console, "SHOW POOLS", "sv_active", "pool_mode", "transaction"))
          .containsExactly("4");
      assertThat(column(console, "SHOW POOLS", "cl_active", "pool_mode", "session"))
          .containsExactly("4");
      assertThat(column(console, "SHOW DATABASES", "current_clients", "name", "shop"))
          .containsExactly("8");
      assertThat(column(console, "SHOW LISTS", "items", "list", "used_servers"))
          .containsExactly("8");
      assertThat(column(console, "SHOW STATS", "total_query_count", "database", "shop"))
          .allSatisfy(count -> assertThat(Long.parseLong(count)).isGreaterThanOrEqualTo(8));
    } finally {
      for (Connection each : open) {
        each.close();
      }
    }
  }

  private static List<String> column(Connection console, String sql, String column, String mode)
      throws SQLException {
    return column(console, sql, column, "mode", mode);
  }

  @Test
  void pauseAnswersWhenTransactionsHaveEndedAndOthersWaitUntilResume() throws Exception {
    try (var console = console();
        var other = console();
        var running = gateway.pooled();
        var pinned = gateway.pooled();
        var waiting = gateway.pooled()) {
      run(pinned, "LISTEN something");
      running.setAutoCommit(false);
      assertThat(value(running, "SELECT 1")).isEqualTo("1");
      var paused =
          CompletableFuture.supplyAsync(
              () -> unchecked(() -> warning(console, "PAUSE shop")), THREADS);
      Await.until("the pause", () -> isPaused(other));
      var late =
          CompletableFuture.supplyAsync(() -> unchecked(() -> value(waiting, "SELECT 2")), THREADS);
      var held =
          CompletableFuture.supplyAsync(() -> unchecked(() -> value(pinned, "SELECT 3")), THREADS);
      Await.until("both to wait", () -> waiting(other) == 2);
      assertThat(value(running, "SELECT 4")).isEqualTo("4");
      assertThat(paused).isNotDone();
      running.commit();
      assertThat(paused.get(30, TimeUnit.SECONDS)).contains("1 client keeps").contains("KILL id");
      assertThat(late).isNotDone();
      assertThat(held).isNotDone();
      run(other, "RESUME shop");
      assertThat(late.get(30, TimeUnit.SECONDS)).isEqualTo("2");
      assertThat(held.get(30, TimeUnit.SECONDS)).isEqualTo("3");
    }
  }

  @Test
  void whoWaitsForAPauseIsToldOfTheResumeOfAnother() throws Exception {
    try (var console = console();
        var other = console();
        var running = gateway.pooled()) {
      running.setAutoCommit(false);
      assertThat(value(running, "SELECT 1")).isEqualTo("1");
      var paused =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  run(console, "PAUSE shop");
                  return "";
                } catch (SQLException e) {
                  return e.getSQLState() + " " + e.getMessage();
                }
              },
              THREADS);
      Await.until("the pause", () -> isPaused(other));
      run(other, "RESUME shop");
      assertThat(paused.get(30, TimeUnit.SECONDS)).startsWith("55000").contains("RESUME");
      assertThat(value(console, "SELECT 1")).isEqualTo("1");
      running.commit();
    }
  }

  private static String warning(Connection console, String sql) throws SQLException {
    try (Statement statement = console.createStatement()) {
      statement.execute(sql);
      return String.valueOf(statement.getWarnings());
    }
  }

  private static boolean isPaused(Connection console) {
    return unchecked(() -> column(console, "SHOW DATABASES", "paused", "name", "shop"))
        .contains("t");
  }

  private static long waiting(Connection console) {
    return unchecked(() -> column(console, "SHOW CLIENTS", "id", "state", "waiting")).size();
  }

  @Test
  void newSessionsOfTheirOwnWaitWhileTheirDatabaseIsPaused() throws Exception {
    try (var console = console();
        var before = gateway.jdbc()) {
      run(console, "PAUSE");
      try (Statement pause = console.createStatement()) {
        pause.execute("PAUSE shop@main");
        assertThat(pause.getWarnings().getMessage()).contains("cannot be paused");
      }
      var login =
          CompletableFuture.supplyAsync(() ->
              unchecked(() -> {
                try (var late = gateway.jdbc()) {
                  return value(late, "SELECT 5");
                }
              }));
      Await.until("the login to wait", () -> waiting(console) == 1);
      assertThat(value(before, "SELECT 6")).isEqualTo("6");
      assertThat(login).isNotDone();
      run(console, "RESUME");
      assertThat(login.get(30, TimeUnit.SECONDS)).isEqualTo("5");
    }
  }

  @Test
  void killEndsOneClientOrAllOfADatabase() throws SQLException {
    try (var console = console();
        var session = gateway.jdbc();
        var pooled = gateway.pooled();
        var spared = gateway.pooled()) {
      assertThat(value(pooled, "SELECT 1")).isEqualTo("1");
      long mine = Long.parseLong(column(console, "SHOW CLIENTS", "id", "session").getFirst());
      run(console, "KILL " + mine);
      assertThatThrownBy(() -> value(session, "SELECT 1"))
          .extracting(error -> ((SQLException) error).getSQLState())
          .isEqualTo("57P01");
      assertThat(value(spared, "SELECT 1")).isEqualTo("1");
      run(console, "KILL shop");
      assertThatThrownBy(() -> value(spared, "SELECT 1"))
          .extracting(error -> ((SQLException) error).getSQLState())
          .isEqualTo("57P01");
      assertThat(isPaused(console)).isTrue();
      assertThat(column(console, "SHOW SERVERS", "state", "transaction")).isEmpty();
      run(console, "RESUME shop");
      try (var again = gateway.pooled()) {
        assertThat(value(again, "SELECT 1")).isEqualTo("1");
      }
      Await.until(
          "all three to be counted",
          () ->
              gateway
                      .meters
                      .get("ebb.gateway.disconnects")
                      .tag("reason", "killed")
                      .counter()
                      .count()
                  == 3);
    }
  }

  @Test
  void reloadReadsTheCertificateAgain() throws SQLException {
    try (var console = console();
        Statement reload = console.createStatement()) {
      reload.execute("RELOAD");
      assertThat(reload.getWarnings().getMessage()).contains("TLS files");
    }
  }

  private interface Task<T> {
    T run() throws SQLException;
  }

  private static <T> T unchecked(Task<T> task) {
    try {
      return task.run();
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }
}
