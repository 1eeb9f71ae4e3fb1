package dev.ebb.computeservice.blockmap;

import io.vertx.core.Vertx;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** One running postgres, under the supervisor, with or without the page shim. */
final class TestServer implements AutoCloseable {

  static final Duration PATIENCE = Duration.ofSeconds(60);

  private static final long POLL_NANOS = 5_000_000;
  private static final Vertx VERTX = Vertx.vertx();

  final Process supervisor;
  final long postmaster;
  private final int port;
  private final Path log;

  private TestServer(Process supervisor, long postmaster, int port, Path log) {
    this.supervisor = supervisor;
    this.postmaster = postmaster;
    this.port = port;
    this.log = log;
  }

  /**
   * Starts postgres and waits until it answers.
   *
   * @param environment of the shim; none starts postgres without it
   */
  static TestServer start(
      Path data, Map<String, String> environment, List<String> supervision, List<String> settings)
      throws Exception {
    TestServer server = launch(data, environment, supervision, settings);
    server.awaitReady();
    return server;
  }

  static TestServer launch(
      Path data, Map<String, String> environment, List<String> supervision, List<String> settings)
      throws Exception {
    TestPostgres postgres = TestPostgres.get();
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    List<String> options = new ArrayList<>(List.of("--datadir", data.toString()));
    if (!environment.isEmpty()) {
      options.addAll(List.of("--preload", postgres.natives.pageShim().toString()));
    }
    options.addAll(supervision);
    List<String> program =
        new ArrayList<>(
            List.of(postgres.home.resolve("bin/postgres").toString(), "-D", data.toString()));
    List<String> fixed =
        List.of(
            "listen_addresses=127.0.0.1",
            "port=" + port,
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "restart_after_crash=off",
            "io_method=sync",
            "shared_buffers=1MB",
            "lc_messages=C",
            "autovacuum=off",
            "max_connections=20");
    for (List<String> group : List.of(fixed, settings)) {
      for (String setting : group) {
        program.addAll(List.of("-c", setting));
      }
    }
    Path log = Files.createTempFile(postgres.root, "server", ".log");
    ProcessBuilder builder =
        new ProcessBuilder(postgres.supervised(options, program)).redirectError(log.toFile());
    builder.environment().putAll(environment);
    Process supervisor = builder.start();
    BufferedReader out =
        new BufferedReader(
            new InputStreamReader(supervisor.getInputStream(), StandardCharsets.UTF_8));
    String line = out.readLine();
    if (line == null || !line.startsWith("pid ")) {
      throw new IOException("the supervisor said " + line + "\n" + Files.readString(log));
    }
    return new TestServer(supervisor, Long.parseLong(line.substring(4)), port, log);
  }

  private void awaitReady() throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      try (Session session = connect("postgres")) {
        session.query("SELECT 1");
        return;
      } catch (ExecutionException e) {
        if (!supervisor.isAlive() || System.nanoTime() > deadline) {
          throw new IOException("postgres does not get ready:\n" + log(), e);
        }
        LockSupport.parkNanos(POLL_NANOS);
      }
    }
  }

  String log() throws IOException {
    return Files.readString(log, StandardCharsets.UTF_8);
  }

  Session connect(String database) throws Exception {
    PgConnectOptions options =
        new PgConnectOptions()
            .setHost("127.0.0.1")
            .setPort(port)
            .setUser("postgres")
            .setDatabase(database);
    return new Session(
        PgConnection.connect(VERTX, options)
            .toCompletionStage()
            .toCompletableFuture()
            .get(60, TimeUnit.SECONDS));
  }

  /**
   * A client that sends one statement and does not stay for the answer: closing the socket is all
   * that it does afterwards ("Message Formats" of PostgreSQL's documentation).
   */
  Socket sendAndNeverRead(String sql) throws IOException {
    var socket = new Socket(InetAddress.ofLiteral("127.0.0.1"), port);
    byte[] user = "user\0postgres\0database\0postgres\0\0".getBytes(StandardCharsets.US_ASCII);
    byte[] query = (sql + "\0").getBytes(StandardCharsets.US_ASCII);
    ByteBuffer messages = ByteBuffer.allocate(8 + user.length + 5 + query.length);
    messages.putInt(8 + user.length).putInt(196_608).put(user);
    messages.put((byte) 'Q').putInt(4 + query.length).put(query);
    socket.getOutputStream().write(messages.array());
    return socket;
  }

  /** Runs statements in a session of their own. */
  List<String> query(String database, String... statements) throws Exception {
    List<String> rows = List.of();
    try (Session session = connect(database)) {
      for (String statement : statements) {
        rows = session.query(statement);
      }
    }
    return rows;
  }

  /** Stops fast, cleanly. */
  void stop() throws Exception {
    signal(supervisor.pid(), "INT");
    if (!supervisor.waitFor(60, TimeUnit.SECONDS) || supervisor.exitValue() != 0) {
      throw new IOException("no clean stop:\n" + log());
    }
  }

  static void signal(long pid, String name) throws Exception {
    TestPostgres.run(List.of("kill", "-" + name, Long.toString(pid)));
  }

  static boolean isAlive(long pid) {
    return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
  }

  static void await(String what, BooleanSupplier condition) throws TimeoutException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new TimeoutException("not within " + PATIENCE + ": " + what);
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** Ends the lifeline and waits until the supervisor has cleaned up. */
  @Override
  public void close() throws IOException {
    try {
      supervisor.getOutputStream().close();
    } catch (IOException _) {
      // the supervisor is gone already
    }
    try {
      if (supervisor.waitFor(30, TimeUnit.SECONDS)) {
        return;
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
    supervisor.destroyForcibly();
    throw new IOException("the supervisor does not end");
  }

  /** One connection. */
  static final class Session implements AutoCloseable {

    private final PgConnection connection;

    private Session(PgConnection connection) {
      this.connection = connection;
    }

    CompletableFuture<List<String>> send(String sql) {
      return connection
          .query(sql)
          .execute()
          .map(Session::rows)
          .toCompletionStage()
          .toCompletableFuture();
    }

    /** The rows of the last statement, columns joined by a bar. */
    List<String> query(String sql) throws Exception {
      return send(sql).get(120, TimeUnit.SECONDS);
    }

    private static List<String> rows(RowSet<Row> result) {
      RowSet<Row> last = result;
      while (last.next() != null) {
        last = last.next();
      }
      List<String> rows = new ArrayList<>();
      for (Row row : last) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < row.size(); i++) {
          @Nullable Object value = row.getValue(i);
          line.append(i == 0 ? "" : "|").append(value);
        }
        rows.add(line.toString());
      }
      return rows;
    }

    @Override
    public void close() {
      connection.close();
    }
  }
}
