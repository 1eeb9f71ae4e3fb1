package dev.ebb.launcher.bench;

import dev.ebb.shared.model.Secret;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/** A PostgreSQL to be measured, over TCP without TLS, with SCRAM. */
record Target(String name, String host, int port, String database, String user, Secret password) {
  private static final int TIMEOUT_SECONDS = 120;

  Target {
    if (host.contains(":") && !host.startsWith("[")) {
      host = "[" + host + "]";
    }
  }

  /** Nanoseconds from before the connection's first byte until the query's first row is here. */
  long firstRowNanos(String query) {
    return firstRowNanos(query, "");
  }

  /**
   * The same.
   *
   * @param options of the session, such as {@code -c ebb.route=replica}
   */
  long firstRowNanos(String query, String options) {
    long beginNanos = System.nanoTime();
    try (Connection connection = connect(options);
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(query)) {
      rows.next();
      return System.nanoTime() - beginNanos;
    } catch (SQLException e) {
      throw new BenchFailure(name + " did not answer: " + e.getMessage(), e);
    }
  }

  /**
   * One number, and how long it took on a connection that was there before.
   *
   * @param nanos from before the query was sent until its result was here
   */
  record Timed(long number, long nanos) {}

  /** Runs a query of one number; a session's own start does not count. */
  Timed timed(String query) {
    try (Connection connection = connect();
        Statement statement = connection.createStatement()) {
      statement.execute("select 1");
      long beginNanos = System.nanoTime();
      try (ResultSet rows = statement.executeQuery(query)) {
        rows.next();
        return new Timed(rows.getLong(1), System.nanoTime() - beginNanos);
      }
    } catch (SQLException e) {
      throw new BenchFailure(name + " did not answer: " + e.getMessage(), e);
    }
  }

  /** Rows of two columns, as a map. */
  Map<String, String> pairs(String query) {
    try (Connection connection = connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(query)) {
      Map<String, String> pairs = new TreeMap<>();
      while (rows.next()) {
        pairs.put(rows.getString(1), rows.getString(2));
      }
      return pairs;
    } catch (SQLException e) {
      throw new BenchFailure(name + " did not answer: " + e.getMessage(), e);
    }
  }

  /** Runs statements one after the other, each in a transaction of its own. */
  void execute(String... statements) {
    try (Connection connection = connect();
        Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    } catch (SQLException e) {
      throw new BenchFailure(name + " refused a statement: " + e.getMessage(), e);
    }
  }

  /** The same, for as long as {@code goOn}, which is asked behind each, says so. */
  void execute(java.util.function.BooleanSupplier goOn, String... statements) {
    try (Connection connection = connect();
        Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
        if (!goOn.getAsBoolean()) {
          return;
        }
      }
    } catch (SQLException e) {
      throw new BenchFailure(name + " refused a statement: " + e.getMessage(), e);
    }
  }

  /** Whether a connection succeeds. */
  boolean isReachable() {
    try (Connection connection = connect()) {
      return connection.isValid(1);
    } catch (SQLException e) {
      return false;
    }
  }

  private Connection connect() throws SQLException {
    return connect("");
  }

  private Connection connect(String options) throws SQLException {
    var properties = new Properties();
    if (!options.isEmpty()) {
      properties.setProperty("options", options);
    }
    properties.setProperty("user", user);
    properties.setProperty("password", password.reveal());
    properties.setProperty("sslmode", "disable");
    properties.setProperty("gssEncMode", "disable");
    // Saves pgjdbc a round trip behind the connection's start, the same for all targets.
    properties.setProperty("assumeMinServerVersion", "14");
    properties.setProperty("socketTimeout", Integer.toString(TIMEOUT_SECONDS));
    properties.setProperty("loginTimeout", Integer.toString(TIMEOUT_SECONDS));
    return DriverManager.getConnection(
        "jdbc:postgresql://" + host + ":" + port + "/" + database, properties);
  }

  /** What libpq reads, the password among it: never a part of the command line. */
  Map<String, String> libpqEnvironment() {
    return Map.of(
        "PGHOST",
        host.replaceAll("[\\[\\]]", ""),
        "PGPORT",
        Integer.toString(port),
        "PGDATABASE",
        database,
        "PGUSER",
        user,
        "PGPASSWORD",
        password.reveal(),
        "PGSSLMODE",
        "disable",
        "PGGSSENCMODE",
        "disable");
  }
}
