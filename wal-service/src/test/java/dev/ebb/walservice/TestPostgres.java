package dev.ebb.walservice;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A real PostgreSQL 18 with a data directory of its own. */
public final class TestPostgres implements AutoCloseable {
  private static final String ARCHIVE = "/postgres-linux-x86_64.txz";
  private static final boolean ROOT = "root".equals(System.getProperty("user.name"));
  private static @Nullable Path unpacked;
  private static @Nullable Path template;

  private final Path dir;
  private final int port;
  private @Nullable Process process;

  /** Makes a cluster with 1 MB segments, so that tests cross their boundaries. */
  public TestPostgres() {
    this(template());
  }

  /** A copy of a cluster that does not run. */
  private TestPostgres(Path original) {
    try {
      dir = Files.createTempDirectory("ebb-wal-pg");
      Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxr-xr-x"));
      own(dir);
      try (var socket = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
        port = socket.getLocalPort();
      }
      run("cp", "-a", original.toString(), data().toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A standby made from this cluster, which is stopped; it streams once it is started. */
  public TestPostgres standby() {
    var standby = new TestPostgres(data());
    run("touch", standby.data().resolve("standby.signal").toString());
    return standby;
  }

  public Path data() {
    return dir.resolve("data");
  }

  public int port() {
    return port;
  }

  /** Starts it with the settings that a compute has. */
  public void start(String synchronousStandbyNames, String... more) {
    var command = new ArrayList<String>(asPostgres());
    command.add(binaries().resolve("bin/postgres").toString());
    command.addAll(List.of("-D", data().toString(), "-p", Integer.toString(port)));
    for (String setting :
        List.of(
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "restart_after_crash=off",
            "wal_level=replica",
            "synchronous_commit=on",
            "max_connections=40",
            "shared_buffers=64MB",
            "wal_keep_size=64MB",
            "max_wal_size=512MB",
            "autovacuum=off",
            "synchronous_standby_names=" + synchronousStandbyNames)) {
      command.addAll(List.of("-c", setting));
    }
    for (String setting : more) {
      command.addAll(List.of("-c", setting));
    }
    try {
      process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(dir.resolve("log").toFile()))
              .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Await.until(
        "postgres answers",
        () -> {
          try (Connection connection = connect()) {
            return connection.isValid(5);
          } catch (SQLException e) {
            return false;
          }
        });
  }

  public Connection connect() throws SQLException {
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + port + "/postgres?user=postgres&sslmode=disable");
  }

  /** Runs one statement and gives the first column of its first row, or an empty string. */
  public String query(String sql) {
    try (Connection connection = connect();
        var statement = connection.createStatement()) {
      if (!statement.execute(sql)) {
        return "";
      }
      try (var rows = statement.getResultSet()) {
        return rows.next() ? rows.getString(1) : "";
      }
    } catch (SQLException e) {
      throw new IllegalStateException(sql, e);
    }
  }

  public long systemIdentifier() {
    return Long.parseUnsignedLong(query("select system_identifier from pg_control_system()"));
  }

  /** As a fast shutdown does. */
  public void stopFast() {
    signal("INT");
    waitForExit();
  }

  /** As a crash does: the postmaster at once, its children when they notice. */
  public void kill() {
    signal("QUIT");
    waitForExit();
  }

  private void signal(String name) {
    Process running = process;
    if (running != null) {
      // setpriv replaced itself by postgres, so that the process is the postmaster.
      run("kill", "-" + name, Long.toString(running.pid()));
    }
  }

  private void waitForExit() {
    try {
      Process running = process;
      if (running != null && !running.waitFor(30, TimeUnit.SECONDS)) {
        throw new IllegalStateException("postgres does not end; its log:\n" + log());
      }
      process = null;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  public String log() {
    try {
      return Files.readString(dir.resolve("log"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A WAL segment file of timeline 1. */
  public Path segment(long number) {
    return data()
        .resolve("pg_wal")
        .resolve(String.format("%08X%08X%08X", 1, number / 4096, number % 4096));
  }

  @Override
  public void close() {
    if (process != null) {
      kill();
    }
    try (Stream<Path> files = Files.walk(dir)) {
      files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A cluster as initdb makes it, made once for all tests of a run. */
  private static synchronized Path template() {
    if (template == null) {
      Path made;
      try {
        made = Files.createTempDirectory("ebb-wal-pginit");
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      own(made);
      run(
          binaries().resolve("bin/initdb").toString(),
          "-D",
          made.toString(),
          "-U",
          "postgres",
          "-A",
          "trust",
          "-N",
          "--wal-segsize=1",
          "--no-locale",
          "-E",
          "UTF8",
          "--no-data-checksums");
      Runtime.getRuntime()
          .addShutdownHook(new Thread(() -> exec(List.of("rm", "-rf", made.toString()))));
      template = made;
    }
    return template;
  }

  public static synchronized Path binaries() {
    if (unpacked != null) {
      return unpacked;
    }
    try (InputStream archive = TestPostgres.class.getResourceAsStream(ARCHIVE)) {
      Path target = Files.createTempDirectory("ebb-wal-pgbin");
      Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rwxr-xr-x"));
      Path file = target.resolve("archive.txz");
      Files.copy(java.util.Objects.requireNonNull(archive, ARCHIVE), file);
      exec(List.of("tar", "xJf", file.toString(), "-C", target.toString()));
      Files.delete(file);
      Runtime.getRuntime()
          .addShutdownHook(new Thread(() -> exec(List.of("rm", "-rf", target.toString()))));
      unpacked = target;
      return target;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static void own(Path path) {
    if (ROOT) {
      exec(List.of("chown", "postgres", path.toString()));
    }
  }

  private static List<String> asPostgres() {
    return ROOT
        ? List.of("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        : List.of();
  }

  /** Runs a program as the user that owns the cluster. */
  public static void run(String... command) {
    var all = new ArrayList<String>(asPostgres());
    all.addAll(List.of(command));
    exec(all);
  }

  private static void exec(List<String> command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String output =
          new String(
              process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new IllegalStateException(command + ": " + output);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
