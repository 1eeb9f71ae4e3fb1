package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ebb.gateway.pool.PoolConfig;
import dev.ebb.gateway.pool.PoolMode;
import dev.ebb.gateway.pool.PoolRule;
import dev.ebb.gateway.pool.PoolTerms;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.PGConnection;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

/** Many clients on one connection to a real PostgreSQL. */
final class PoolIT {
  @TempDir private static Path directory;

  /** One event loop, one connection: whatever one client leaves behind, the next one meets. */
  private static GatewayFixture one;

  @BeforeAll
  static void start() {
    one =
        new GatewayFixture(
            directory, config -> config.withLoops(1).withPool(0, withSize(PoolConfig.DEFAULT, 1)));
  }

  @AfterAll
  static void stop() {
    one.close();
  }

  static PoolConfig withSize(PoolConfig config, int size) {
    return config.with(new PoolTerms(PoolMode.TRANSACTION, size, 0));
  }

  private static Properties with(String... namesAndValues) {
    var properties = new Properties();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      properties.setProperty(namesAndValues[i], namesAndValues[i + 1]);
    }
    return properties;
  }

  private static String value(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getString(1);
    }
  }

  private static void run(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private static String pid(Connection connection) throws SQLException {
    return value(connection, "SELECT pg_backend_pid()");
  }

  @Test
  void clientsShareTheConnection() throws Exception {
    try (var first = one.pooled();
        var second = one.pooled()) {
      String pid = pid(first);
      assertThat(pid(second)).isEqualTo(pid);
      assertThat(pid(first)).isEqualTo(pid);
      first.setAutoCommit(false);
      run(first, "CREATE TABLE shared_by (name text)");
      run(first, "INSERT INTO shared_by VALUES ('first')");
      first.commit();
      assertThat(value(second, "SELECT name FROM shared_by")).isEqualTo("first");
      run(second, "DROP TABLE shared_by");
    }
  }

  @Test
  void preparedStatementsOfOneNameAreEachClientsOwn() throws Exception {
    var prepared = with("prepareThreshold", "1");
    var clients = new ArrayList<Connection>();
    for (int i = 0; i < 5; i++) {
      clients.add(one.pooled(prepared));
    }
    var statements = new ArrayList<java.sql.PreparedStatement>();
    for (int i = 0; i < clients.size(); i++) {
      // pgjdbc names each client's first S_1.
      statements.add(clients.get(i).prepareStatement("SELECT ?::int + " + i));
    }
    for (int round = 0; round < 20; round++) {
      for (int i = 0; i < clients.size(); i++) {
        statements.get(i).setInt(1, round * 10);
        try (ResultSet row = statements.get(i).executeQuery()) {
          row.next();
          assertThat(row.getInt(1)).isEqualTo(round * 10 + i);
        }
      }
    }
    for (Connection client : clients) {
      client.close();
    }
  }

  @Test
  void settingsGoWithTheirClient() throws Exception {
    try (var first = one.pooled(with("ApplicationName", "one"));
        var second = one.pooled(with("ApplicationName", "two"))) {
      run(first, "SET search_path = pg_catalog, public");
      run(first, "SET statement_timeout = '77s'");
      run(first, "SET app.tenant = 'it''s \\ first'");
      run(second, "SELECT set_config('app.tenant', 'second', false)");
      assertThat(pid(first)).isEqualTo(pid(second));
      assertThat(value(second, "SHOW search_path")).isEqualTo("\"$user\", public");
      assertThat(value(second, "SHOW statement_timeout")).isEqualTo("0");
      assertThat(value(second, "SHOW app.tenant")).isEqualTo("second");
      assertThat(value(second, "SHOW application_name")).isEqualTo("two");
      assertThat(value(first, "SHOW search_path")).isEqualTo("pg_catalog, public");
      assertThat(value(first, "SHOW statement_timeout")).isEqualTo("77s");
      assertThat(value(first, "SHOW app.tenant")).isEqualTo("it's \\ first");
      assertThat(value(first, "SHOW application_name")).isEqualTo("one");
      run(first, "RESET ALL");
      assertThat(value(second, "SHOW app.tenant")).isEqualTo("second");
      assertThat(value(first, "SHOW statement_timeout")).isEqualTo("0");
      try (var third = one.pooled()) {
        assertThat(value(third, "SELECT current_setting('app.tenant', true)")).isNullOrEmpty();
      }
    }
  }

  @Test
  void settingOfARolledBackTransactionIsNotKept() throws Exception {
    try (var first = one.pooled();
        var second = one.pooled()) {
      first.setAutoCommit(false);
      run(first, "SET statement_timeout = '66s'");
      first.rollback();
      assertThat(value(second, "SHOW statement_timeout")).isEqualTo("0");
      assertThat(value(first, "SHOW statement_timeout")).isEqualTo("0");
      run(first, "SET LOCAL statement_timeout = '66s'");
      first.commit();
      assertThat(value(first, "SHOW statement_timeout")).isEqualTo("0");
      first.rollback();
    }
  }

  @Test
  void settingInsideAFunctionNeverReachesAnother() throws Exception {
    try (var first = one.pooled();
        var second = one.pooled()) {
      run(
          first,
          "CREATE OR REPLACE FUNCTION becomes(name text) RETURNS void LANGUAGE plpgsql AS $$"
              + " BEGIN PERFORM set_config('app.who', name, false);"
              + " PERFORM set_config('work_mem', '7MB', false); END $$");
      run(first, "SELECT becomes('first')");
      assertThat(value(second, "SELECT current_setting('app.who', true)")).isNullOrEmpty();
      assertThat(value(second, "SHOW work_mem")).isEqualTo("4MB");
      assertThat(value(first, "SHOW work_mem")).isEqualTo("7MB");
    }
  }

  @Test
  void roleGoesWithItsClient() throws Exception {
    one.postgres.sql("CREATE ROLE pool_member; GRANT pool_member TO app");
    try (var first = one.pooled();
        var second = one.pooled()) {
      run(first, "SET ROLE pool_member");
      assertThat(value(second, "SELECT current_user")).isEqualTo("app");
      assertThat(value(first, "SELECT current_user")).isEqualTo("pool_member");
      run(first, "RESET ROLE");
      assertThat(value(first, "SELECT current_user")).isEqualTo("app");
    }
  }

  @Test
  void whatCannotBeSharedPins() throws Exception {
    var sessions =
        List.of(
            "LISTEN news",
            "SELECT pg_advisory_lock(17)",
            "CREATE TEMP TABLE mine (a int)",
            "BEGIN; DECLARE kept CURSOR WITH HOLD FOR SELECT 1; COMMIT",
            "PREPARE hers AS SELECT 1");
    try (var two =
        new GatewayFixture(
            directory,
            config -> config.withLoops(1).withPool(0, withSize(PoolConfig.DEFAULT, 2)))) {
      for (String sql : sessions) {
        try (var first = two.pooled();
            var second = two.pooled()) {
          run(first, sql);
          String pinned = pid(first);
          assertThat(pid(second)).as(sql).isNotEqualTo(pinned);
          assertThat(pid(first)).as(sql).isEqualTo(pinned);
        }
      }
      try (var first = two.pooled();
          var second = two.pooled()) {
        run(first, "LISTEN news");
        run(second, "NOTIFY news, 'hello'");
        var notifications = first.unwrap(PGConnection.class).getNotifications(10_000);
        assertThat(notifications).hasSize(1);
        assertThat(notifications[0].getParameter()).isEqualTo("hello");
      }
      try (var first = two.pooled();
          var second = two.pooled()) {
        run(first, "CREATE TEMP TABLE mine (a int)");
        assertThat(value(first, "SELECT count(*) FROM mine")).isEqualTo("0");
        assertThatThrownBy(() -> value(second, "SELECT count(*) FROM mine"))
            .hasMessageContaining("does not exist");
      }
    }
  }

  @Test
  void lockInsideAFunctionPinsAsWell() throws Exception {
    try (var two =
            new GatewayFixture(
                directory,
                config -> config.withLoops(1).withPool(0, withSize(PoolConfig.DEFAULT, 2)));
        var first = two.pooled();
        var second = two.pooled()) {
      run(
          first,
          "CREATE OR REPLACE FUNCTION takes_a_lock() RETURNS void LANGUAGE sql AS"
              + " $$ SELECT pg_advisory_lock(18) $$");
      run(first, "SELECT takes_a_lock()");
      assertThat(value(second, "SELECT pg_try_advisory_lock(18)")).isEqualTo("f");
      assertThat(value(first, "SELECT pg_advisory_unlock(18)")).isEqualTo("t");
    }
  }

  @Test
  void transactionKeepsTheConnectionAndOthersWait() throws Exception {
    try (var first = one.pooled();
        var second = one.pooled();
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      first.setAutoCommit(false);
      run(first, "SELECT 1");
      var waits = threads.submit(() -> value(second, "SELECT 'mine'"));
      assertThatThrownBy(() -> waits.get(200, TimeUnit.MILLISECONDS))
          .isInstanceOf(java.util.concurrent.TimeoutException.class);
      assertThat(value(first, "SELECT 'still'")).isEqualTo("still");
      first.commit();
      assertThat(waits.get(10, TimeUnit.SECONDS)).isEqualTo("mine");
    }
  }

  private static GatewayFixture withRule(PoolTerms terms) {
    PoolConfig usual = PoolConfig.DEFAULT;
    var config =
        new PoolConfig(
            new PoolTerms(PoolMode.TRANSACTION, 1, 0),
            List.of(
                new PoolRule("shop", null, new PoolTerms(PoolMode.TRANSACTION, 2, 0)),
                new PoolRule("shop", "app", terms)),
            usual.maxPerBranch(),
            usual.maxInAll(),
            usual.waitTimeoutMs(),
            usual.idleTimeoutMs(),
            usual.lifetimeMs(),
            usual.maxPreparedStatements(),
            "SELECT 18 AS warmed");
    return new GatewayFixture(directory, of -> of.withLoops(1).withPool(0, config));
  }

  @Test
  void inSessionModeAConnectionIsKeptToTheEndAndHandedOnAsNew() throws Exception {
    try (var gateway = withRule(new PoolTerms(PoolMode.SESSION, 1, 0));
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      String pid;
      java.util.concurrent.Future<Connection> waits;
      try (var first = gateway.pooled()) {
        pid = pid(first);
        run(first, "CREATE TEMP TABLE kept (a int)");
        run(first, "SET search_path = pg_temp");
        run(first, "PREPARE mine AS SELECT 5");
        run(first, "SELECT pg_advisory_lock(77)");
        run(first, "LISTEN news");
        assertThat(value(first, "EXECUTE mine")).isEqualTo("5");
        assertThat((Object) first.getWarnings()).isNull();
        waits = threads.submit(() -> gateway.pooled()); // which sets things before anything else
        assertThatThrownBy(() -> waits.get(200, TimeUnit.MILLISECONDS))
            .isInstanceOf(java.util.concurrent.TimeoutException.class);
      }
      Connection second = waits.get(10, TimeUnit.SECONDS);
      assertThat(pid(second)).isEqualTo(pid);
      assertThat(value(second, "SHOW search_path")).contains("public");
      assertThat(value(second, "SELECT count(*) FROM pg_class WHERE relname = 'kept'"))
          .isEqualTo("0");
      assertThat(value(second, "SELECT count(*) FROM pg_prepared_statements")).isEqualTo("0");
      assertThat(value(second, "SELECT count(*) FROM pg_listening_channels()")).isEqualTo("0");
      assertThat(value(second, "SELECT pg_advisory_unlock(77)")).isEqualTo("f");
      second.close();
    }
  }

  @Test
  void inSessionModeACutTransactionIsNotHandedOn() throws Exception {
    try (var gateway = withRule(new PoolTerms(PoolMode.SESSION, 1, 0))) {
      String pid;
      try (var first = gateway.pooled()) {
        first.setAutoCommit(false);
        pid = pid(first);
      }
      try (var second = gateway.pooled()) {
        assertThat(pid(second)).isNotEqualTo(pid);
      }
    }
  }

  @Test
  void minimumOfConnectionsIsOpenedAndWarmedBesideTheFirst() throws Exception {
    try (var gateway = withRule(new PoolTerms(PoolMode.TRANSACTION, 4, 3));
        var client = gateway.pooled();
        var observer = gateway.jdbc()) {
      // The client itself uses one or two of the three.
      String warmed =
          "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'idle'"
              + " AND query LIKE 'SELECT 18 AS%' AND pid <> "
              + pid(client);
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (!"t".equals(value(observer, warmed))) {
        assertThat(System.nanoTime()).as("a warm connection in time").isLessThan(deadline);
        Thread.onSpinWait();
      }
    }
  }

  @Test
  void cancelEndsTheWaitForAConnectionAndTheSessionGoesOn() throws Exception {
    try (var first = one.pooled();
        var second = one.pooled();
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      first.setAutoCommit(false);
      run(first, "SELECT 1");
      try (Statement statement = second.createStatement()) {
        var waits = threads.submit(() -> statement.execute("SELECT 'never'"));
        while (!waits.isDone()) {
          statement.cancel(); // does nothing where it comes before the statement
        }
        assertThatThrownBy(waits::get).hasMessageContaining("canceling statement");
      }
      first.commit();
      assertThat(value(second, "SELECT 'again'")).isEqualTo("again");
    }
  }

  @Test
  void waitingTooLongIsAnErrorBehindWhichTheSessionGoesOn() throws Exception {
    PoolConfig short_ =
        new PoolConfig(
            new PoolTerms(PoolMode.TRANSACTION, 1, 0),
            List.of(),
            10,
            10,
            1_000,
            60_000,
            60_000,
            10,
            PoolConfig.WARM_QUERY);
    try (var busy =
            new GatewayFixture(directory, config -> config.withLoops(1).withPool(0, short_));
        var first = busy.pooled();
        var second = busy.pooled()) {
      first.setAutoCommit(false);
      run(first, "SELECT 1");
      assertThatThrownBy(() -> value(second, "SELECT 2"))
          .hasMessageContaining("no connection of the pool was free");
      first.commit();
      assertThat(value(second, "SELECT 3")).isEqualTo("3");
    }
  }

  @Test
  void errorsAndFailedTransactionsAreAsWithoutAPool() throws Exception {
    try (var first = one.pooled(with("prepareThreshold", "1"));
        var second = one.pooled()) {
      assertThatThrownBy(() -> value(first, "SELECT 1/0")).hasMessageContaining("division by zero");
      assertThat(value(second, "SELECT 1")).isEqualTo("1");
      first.setAutoCommit(false);
      assertThatThrownBy(() -> value(first, "SELECT nonsense")).hasMessageContaining("nonsense");
      assertThatThrownBy(() -> value(first, "SELECT 1")).hasMessageContaining("aborted");
      first.rollback();
      assertThat(value(first, "SELECT 1")).isEqualTo("1");
      first.rollback();
    }
  }

  @Test
  void copyGoesBothWays() throws Exception {
    try (var first = one.pooled();
        var second = one.pooled()) {
      run(first, "CREATE TABLE copied (a int, b text)");
      var rows = new StringBuilder();
      for (int i = 0; i < 50_000; i++) {
        rows.append(i).append('\t').append("row ").append(i).append('\n');
      }
      var copy = first.unwrap(PGConnection.class).getCopyAPI();
      assertThat(copy.copyIn("COPY copied FROM STDIN", new StringReader(rows.toString())))
          .isEqualTo(50_000);
      assertThat(value(second, "SELECT count(*) FROM copied")).isEqualTo("50000");
      var out = new ByteArrayOutputStream();
      second
          .unwrap(PGConnection.class)
          .getCopyAPI()
          .copyOut("COPY (SELECT * FROM copied ORDER BY a) TO STDOUT", out);
      assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo(rows.toString());
      assertThatThrownBy(() -> copy.copyIn("COPY copied FROM STDIN", new StringReader("x\ty\n")))
          .hasMessageContaining("invalid input syntax");
      assertThat(value(first, "SELECT 5")).isEqualTo("5");
      run(first, "DROP TABLE copied");
    }
  }

  @Test
  void largeObjectsAndFunctionCallsWork() throws Exception {
    try (var first = one.pooled();
        var second = one.pooled()) {
      first.setAutoCommit(false);
      LargeObjectManager objects = first.unwrap(PGConnection.class).getLargeObjectAPI();
      long oid = objects.createLO();
      try (LargeObject object = objects.open(oid, LargeObjectManager.WRITE)) {
        object.write(new byte[300_000]);
      }
      first.commit();
      assertThat(value(second, "SELECT length(lo_get(" + oid + "))")).isEqualTo("300000");
      run(second, "SELECT lo_unlink(" + oid + ")");
    }
  }

  @Test
  void everyModeOfPgbenchRuns() throws Exception {
    assumeTrue(GatewayFixture.has("pgbench"), "pgbench is not installed");
    try (var three =
        new GatewayFixture(
            directory, config -> config.withPool(0, withSize(PoolConfig.DEFAULT, 3)))) {
      String target = "postgres://app@127.0.0.1:" + three.poolPort + "/shop?sslmode=disable";
      assertThat(pgbench("-i", "-s", "2", "-q", target)).contains("done");
      for (String mode : List.of("simple", "extended", "prepared")) {
        assertThat(pgbench("-n", "-M", mode, "-c", "20", "-j", "2", "-t", "50", target))
            .as(mode)
            .contains("number of transactions actually processed: 1000/1000")
            .doesNotContain("aborted");
      }
      try (var look = three.jdbc()) {
        assertThat(value(look, "SELECT sum(abalance) FROM pgbench_accounts"))
            .isEqualTo(value(look, "SELECT sum(bbalance) FROM pgbench_branches"));
        assertThat(value(look, "SELECT count(*) FROM pgbench_history")).isEqualTo("3000");
      }
    }
  }

  private static String pgbench(String... arguments) throws Exception {
    var command = new ArrayList<>(List.of("pgbench"));
    command.addAll(List.of(arguments));
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("PGPASSWORD", RealPostgres.PASSWORD);
    Process process = builder.start();
    process.getOutputStream().close();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  @Test
  void clientsOutliveTheirConnections() throws Exception {
    try (var first = one.pooled(with("prepareThreshold", "1"));
        var second = one.pooled()) {
      run(first, "SET work_mem = '9MB'");
      try (var statement = first.prepareStatement("SELECT ?::int + 1")) {
        statement.setInt(1, 1);
        statement.executeQuery().close();
        String pid = pid(second);
        one.postgres.sql("SELECT pg_terminate_backend(" + pid + ")");
        Await.until(
            "the connection to end",
            () ->
                one.postgres.number("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid)
                    == 0);
        statement.setInt(1, 41);
        try (ResultSet row = statement.executeQuery()) {
          row.next();
          assertThat(row.getInt(1)).isEqualTo(42);
        }
      }
      assertThat(value(first, "SHOW work_mem")).isEqualTo("9MB");
      assertThat(value(second, "SHOW work_mem")).isEqualTo("4MB");
    }
  }

  @Test
  void transactionCutInHalfIsTold() throws Exception {
    try (var first = one.pooled();
        var second = one.pooled()) {
      first.setAutoCommit(false);
      String pid = pid(first);
      one.postgres.sql("SELECT pg_terminate_backend(" + pid + ")");
      assertThatThrownBy(() -> run(first, "SELECT 1"))
          .isInstanceOfSatisfying(
              SQLException.class,
              error -> assertThat(error.getSQLState()).isIn("57P01", "08006", "08003"));
      assertThat(value(second, "SELECT 1")).isEqualTo("1");
    }
  }

  @Test
  void cancelReachesTheRunningStatementOnly() throws Exception {
    try (var first = one.pooled();
        var second = one.pooled();
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      try (Statement slow = first.createStatement()) {
        var runs = threads.submit(() -> slow.execute("SELECT pg_sleep(30)"));
        Await.until(
            "the statement to run",
            () ->
                one.postgres.number(
                        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%'"
                            + " AND state = 'active'")
                    == 1);
        slow.cancel();
        assertThatThrownBy(() -> runs.get(10, TimeUnit.SECONDS))
            .hasMessageContaining("canceling statement");
      }
      try (Statement over = first.createStatement()) {
        over.execute("SELECT 1");
        for (int i = 0; i < 50; i++) {
          var runs =
              threads.submit(() -> value(second, "SELECT count(*) FROM generate_series(1, 20000)"));
          over.cancel();
          assertThat(runs.get(10, TimeUnit.SECONDS)).isEqualTo("20000");
        }
      }
    }
  }

  @Test
  void psqlAndDumpsWork() throws Exception {
    assumeTrue(GatewayFixture.has("psql"), "psql is not installed");
    String target = "host=127.0.0.1 port=" + one.poolPort + " dbname=shop user=app sslmode=disable";
    var outcome =
        Psql.run(
            RealPostgres.PASSWORD,
            target,
            "-c",
            "SET work_mem = '5MB'",
            "-c",
            "SHOW work_mem",
            "-c",
            "SELECT 'x' AS a \\gset",
            "-c",
            "SELECT 1");
    assertThat(outcome.output()).contains("5MB");
  }

  @Test
  void jdbcUrlOfTheDocumentationWorks() throws Exception {
    try (Connection connection =
        DriverManager.getConnection(
            "jdbc:postgresql://127.0.0.1:" + one.poolPort + "/shop?sslmode=disable",
            "app",
            RealPostgres.PASSWORD)) {
      assertThat(connection.getMetaData().getDatabaseProductName()).isEqualTo("PostgreSQL");
      assertThat(connection.getMetaData().getTables(null, null, "%", null).next()).isTrue();
    }
  }
}
