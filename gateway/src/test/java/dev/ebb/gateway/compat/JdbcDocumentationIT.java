package dev.ebb.gateway.compat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.gateway.GatewayFixture;
import dev.ebb.gateway.RealPostgres;
import dev.ebb.gateway.pool.PoolConfig;
import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.PGStatement;
import org.postgresql.largeobject.LargeObjectManager;

/** What pgJDBC's documentation shows, chapter by chapter, in both modes. */
final class JdbcDocumentationIT {
  private static final int NOTIFICATION_MS = 20_000;

  @TempDir private static Path directory;
  private static GatewayFixture gateway;

  enum Mode {
    SESSION,
    POOL
  }

  @BeforeAll
  static void start() {
    gateway = new GatewayFixture(directory, config -> config.withPool(0, PoolConfig.DEFAULT));
  }

  @AfterAll
  static void stop() {
    gateway.close();
  }

  private static Connection connect(Mode mode) throws SQLException {
    return connect(mode, "");
  }

  private static Connection connect(Mode mode, String options) throws SQLException {
    int port = mode == Mode.POOL ? gateway.poolPort : gateway.port;
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + port + "/shop?sslmode=disable" + options,
        "app",
        RealPostgres.PASSWORD);
  }

  private static void run(Connection connection, String... statements) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }

  private static String value(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      assertThat(rows.next()).isTrue();
      return String.valueOf(rows.getString(1));
    }
  }

  /** "Issuing a Query and Processing the Result": results based on a cursor. */
  @ParameterizedTest
  @EnumSource
  void cursorFetchesAFewRowsAtATime(Mode mode) throws SQLException {
    try (Connection connection = connect(mode)) {
      connection.setAutoCommit(false);
      try (Statement statement = connection.createStatement()) {
        statement.setFetchSize(50);
        int sum = 0;
        try (ResultSet rows = statement.executeQuery("SELECT g FROM generate_series(1, 1000) g")) {
          while (rows.next()) {
            sum += rows.getInt(1);
          }
        }
        assertThat(sum).isEqualTo(500_500);
        statement.setFetchSize(0);
        assertThat(value(connection, "SELECT 'all at once'")).isEqualTo("all at once");
      }
      connection.commit();
    }
  }

  /** "Server Prepared Statements", and updates, batches and generated keys. */
  @ParameterizedTest
  @EnumSource
  void statementsArePreparedAndBatched(Mode mode) throws SQLException {
    try (Connection connection = connect(mode, "&prepareThreshold=2&reWriteBatchedInserts=true")) {
      run(connection, "DROP TABLE IF EXISTS jdbc_batch");
      run(connection, "CREATE TABLE jdbc_batch (id serial, a int, b text)");
      try (PreparedStatement insert =
          connection.prepareStatement("INSERT INTO jdbc_batch (a, b) VALUES (?, ?)")) {
        for (int i = 0; i < 500; i++) {
          insert.setInt(1, i);
          insert.setString(2, "row " + i);
          insert.addBatch();
        }
        assertThat(insert.executeBatch()).hasSize(500);
      }
      try (PreparedStatement insert =
          connection.prepareStatement(
              "INSERT INTO jdbc_batch (a) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
        insert.setInt(1, 7);
        assertThat(insert.executeUpdate()).isEqualTo(1);
        ResultSet keys = insert.getGeneratedKeys();
        assertThat(keys.next()).isTrue();
        assertThat(keys.getInt("id")).isEqualTo(501);
      }
      try (PreparedStatement select =
          connection.prepareStatement("SELECT b FROM jdbc_batch WHERE a = ? AND b IS NOT NULL")) {
        for (int i = 0; i < 10; i++) {
          select.setInt(1, i);
          ResultSet rows = select.executeQuery();
          assertThat(rows.next()).isTrue();
          assertThat(rows.getString(1)).isEqualTo("row " + i);
        }
        assertThat(select.unwrap(PGStatement.class).isUseServerPrepare()).isTrue();
      }
    }
  }

  /** "Calling Stored Functions and Procedures". */
  @ParameterizedTest
  @EnumSource
  void functionsAndProceduresAreCalled(Mode mode) throws SQLException {
    try (Connection connection = connect(mode)) {
      try (CallableStatement upper = connection.prepareCall("{? = call upper( ? ) }")) {
        upper.registerOutParameter(1, Types.VARCHAR);
        upper.setString(2, "lowercase to uppercase");
        upper.execute();
        assertThat(upper.getString(1)).isEqualTo("LOWERCASE TO UPPERCASE");
      }
      run(
          connection,
          "CREATE OR REPLACE FUNCTION jdbc_ref() RETURNS refcursor AS 'DECLARE c refcursor; BEGIN"
              + " OPEN c FOR SELECT 1 UNION ALL SELECT 2; RETURN c; END;' LANGUAGE plpgsql",
          "CREATE OR REPLACE PROCEDURE jdbc_commits() AS 'BEGIN COMMIT; END;' LANGUAGE plpgsql",
          "CALL jdbc_commits()");
      connection.setAutoCommit(false);
      try (CallableStatement call = connection.prepareCall("{? = call jdbc_ref() }")) {
        call.registerOutParameter(1, Types.REF_CURSOR);
        call.execute();
        ResultSet rows = (ResultSet) call.getObject(1);
        assertThat(rows.next()).isTrue();
        assertThat(rows.next()).isTrue();
        assertThat(rows.getInt(1)).isEqualTo(2);
        assertThat(rows.next()).isFalse();
      }
      connection.commit();
    }
  }

  /** "Storing Binary Data": bytea and large objects. */
  @ParameterizedTest
  @EnumSource
  void binaryDataIsStored(Mode mode) throws Exception {
    byte[] bytes = new byte[300_000];
    new java.util.Random(5).nextBytes(bytes);
    try (Connection connection = connect(mode)) {
      run(connection, "DROP TABLE IF EXISTS images");
      run(connection, "CREATE TABLE images (imgname text, img bytea, imgoid oid)");
      connection.setAutoCommit(false);
      LargeObjectManager objects = connection.unwrap(PGConnection.class).getLargeObjectAPI();
      long oid = objects.createLO(LargeObjectManager.READWRITE);
      try (var object = objects.open(oid, LargeObjectManager.WRITE)) {
        object.write(bytes);
      }
      try (PreparedStatement insert =
          connection.prepareStatement("INSERT INTO images VALUES (?, ?, ?)")) {
        insert.setString(1, "image");
        insert.setBinaryStream(2, new ByteArrayInputStream(bytes), bytes.length);
        insert.setLong(3, oid);
        insert.executeUpdate();
      }
      connection.commit();
      try (PreparedStatement select =
          connection.prepareStatement("SELECT img, imgoid FROM images WHERE imgname = ?")) {
        select.setString(1, "image");
        ResultSet rows = select.executeQuery();
        assertThat(rows.next()).isTrue();
        assertThat(rows.getBytes(1)).isEqualTo(bytes);
        try (var object = objects.open(rows.getLong(2), LargeObjectManager.READ)) {
          assertThat(object.read(object.size())).isEqualTo(bytes);
        }
      }
      objects.unlink(oid);
      connection.commit();
    }
  }

  /** "PostgreSQL Extensions to the JDBC API": CopyManager. */
  @ParameterizedTest
  @EnumSource
  void rowsAreCopiedInAndOut(Mode mode) throws Exception {
    try (Connection connection = connect(mode)) {
      run(connection, "DROP TABLE IF EXISTS jdbc_copy", "CREATE TABLE jdbc_copy (a int, b text)");
      var copies = connection.unwrap(PGConnection.class).getCopyAPI();
      var rows = new StringBuilder();
      for (int i = 0; i < 20_000; i++) {
        rows.append(i).append(",row ").append(i).append('\n');
      }
      String in = "COPY jdbc_copy FROM STDIN WITH (FORMAT csv)";
      assertThat(copies.copyIn(in, new StringReader(rows.toString()))).isEqualTo(20_000);
      var out = new StringWriter();
      copies.copyOut("COPY (SELECT * FROM jdbc_copy ORDER BY a) TO STDOUT WITH (FORMAT csv)", out);
      assertThat(out.toString()).isEqualTo(rows.toString());
      assertThatThrownBy(() -> copies.copyIn(in, new StringReader("no,number\n")))
          .hasMessageContaining("invalid input syntax");
      assertThat(value(connection, "SELECT count(*) FROM jdbc_copy")).isEqualTo("20000");
    }
  }

  /** "Listen / Notify": who listens keeps its connection. */
  @ParameterizedTest
  @EnumSource
  void notificationsArrive(Mode mode) throws SQLException {
    try (Connection listener = connect(mode);
        Connection notifier = connect(mode)) {
      run(listener, "LISTEN mymessage");
      run(notifier, "NOTIFY mymessage, 'said'");
      PGNotification[] heard =
          listener.unwrap(PGConnection.class).getNotifications(NOTIFICATION_MS);
      assertThat(heard).hasSize(1);
      assertThat(heard[0].getName()).isEqualTo("mymessage");
      assertThat(heard[0].getParameter()).isEqualTo("said");
    }
  }

  /** Transactions: savepoints, isolation, read only, errors, and what a session is set to. */
  @ParameterizedTest
  @EnumSource
  void transactionsAndSessionsBehave(Mode mode) throws SQLException {
    try (Connection connection = connect(mode)) {
      connection.setClientInfo("ApplicationName", "jdbc-program");
      connection.setSchema("pg_catalog");
      connection.setAutoCommit(false);
      connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
      assertThat(value(connection, "SHOW transaction_isolation")).isEqualTo("serializable");
      var savepoint = connection.setSavepoint();
      assertThatThrownBy(() -> value(connection, "SELECT 1/0"))
          .isInstanceOfSatisfying(
              SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo("22012"));
      connection.rollback(savepoint);
      assertThat(value(connection, "SHOW application_name")).isEqualTo("jdbc-program");
      connection.commit();
      connection.setReadOnly(true);
      assertThatThrownBy(() -> run(connection, "CREATE TABLE public.jdbc_no (a int)"))
          .hasMessageContaining("read-only transaction");
      connection.rollback();
      connection.setReadOnly(false);
      assertThat(connection.getSchema()).isEqualTo("pg_catalog");
      connection.commit();
    }
  }

  /** Types of java.time, arrays, and a statement that takes too long. */
  @ParameterizedTest
  @EnumSource
  void typesAndTimeoutsWork(Mode mode) throws SQLException {
    try (Connection connection = connect(mode)) {
      var at = OffsetDateTime.of(2024, 2, 29, 1, 2, 3, 0, ZoneOffset.UTC);
      var uuid = UUID.fromString("00112233-4455-6677-8899-aabbccddeeff");
      try (PreparedStatement select = connection.prepareStatement("SELECT ?, ?, ?, ?::int[]")) {
        for (int i = 0; i < 8; i++) {
          select.setObject(1, LocalDate.of(2024, 2, 29));
          select.setObject(2, at);
          select.setObject(3, uuid);
          select.setArray(4, connection.createArrayOf("int4", new Integer[] {1, null, 3}));
          ResultSet rows = select.executeQuery();
          assertThat(rows.next()).isTrue();
          assertThat(rows.getObject(1, LocalDate.class)).isEqualTo(LocalDate.of(2024, 2, 29));
          assertThat(rows.getObject(2, OffsetDateTime.class)).isEqualTo(at);
          assertThat(rows.getObject(3)).isEqualTo(uuid);
          assertThat((Object[]) rows.getArray(4).getArray()).containsExactly(1, null, 3);
        }
      }
      try (Statement statement = connection.createStatement()) {
        statement.setQueryTimeout(1);
        assertThatThrownBy(() -> statement.executeQuery("SELECT pg_sleep(60)"))
            .isInstanceOfSatisfying(
                SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo("57014"));
      }
      assertThat(value(connection, "SELECT 'goes on'")).isEqualTo("goes on");
      byte[] text = value(connection, "SELECT 'ünïcödé'").getBytes(StandardCharsets.UTF_8);
      assertThat(text).hasSize(11);
    }
  }
}
