package dev.ebb.shared.wal;

import dev.ebb.shared.model.Lsn;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A PostgreSQL of any version whose WAL is kept whole, for reading it. */
final class WalServer implements AutoCloseable {
  private static final boolean ROOT = "root".equals(System.getProperty("user.name"));

  final Path dir;
  final int segmentBytes;
  private final Path bin;
  private final int port;
  private @Nullable Process process;

  /** Makes a cluster with the programs in this directory. */
  WalServer(Path bin, int segmentMegabytes) throws IOException {
    this.bin = bin;
    this.segmentBytes = segmentMegabytes << 20;
    dir = Files.createTempDirectory("ebb-wal-server");
    Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxr-xr-x"));
    if (ROOT) {
      exec(List.of("chown", "postgres", dir.toString()));
    }
    try (var socket = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
      port = socket.getLocalPort();
    }
    program(
        "initdb",
        "-D",
        data().toString(),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-N",
        "--no-locale",
        "-E",
        "UTF8",
        "--wal-segsize=" + segmentMegabytes);
  }

  Path data() {
    return dir.resolve("data");
  }

  Path wal() {
    return data().resolve("pg_wal");
  }

  int port() {
    return port;
  }

  void start(String... settings) throws IOException, InterruptedException {
    var command = new ArrayList<>(asPostgres());
    command.addAll(List.of(bin.resolve("postgres").toString(), "-D", data().toString()));
    var all =
        new ArrayList<>(
            List.of(
                "port=" + port,
                "listen_addresses=127.0.0.1",
                "unix_socket_directories=",
                "fsync=off",
                "wal_level=logical",
                "max_prepared_transactions=10",
                "track_commit_timestamp=on",
                "wal_keep_size=20GB",
                "max_wal_size=200MB",
                "wal_recycle=off",
                "checkpoint_timeout=1h"));
    all.addAll(Arrays.asList(settings));
    all.forEach(setting -> command.addAll(List.of("-c", setting)));
    Process started =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(dir.resolve("log").toFile()))
            .start();
    process = started;
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (true) {
      try (Connection connection = connect("postgres")) {
        if (connection.isValid(5)) {
          return;
        }
      } catch (SQLException e) {
        if (!started.isAlive() || System.nanoTime() > deadline) {
          throw new IOException(Files.readString(dir.resolve("log")), e);
        }
        if (started.waitFor(20, TimeUnit.MILLISECONDS)) {
          throw new IOException(Files.readString(dir.resolve("log")), e);
        }
      }
    }
  }

  Connection connect(String database) throws SQLException {
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + port + "/" + database + "?user=postgres&sslmode=disable");
  }

  /** Ends it: {@code INT} as a fast shutdown, {@code QUIT} as a crash. */
  void stop(String signal) {
    Process running = process;
    if (running != null) {
      exec(List.of("kill", "-" + signal, Long.toString(running.pid())));
      try {
        if (!running.waitFor(60, TimeUnit.SECONDS)) {
          throw new IllegalStateException("postgres does not end");
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
      process = null;
    }
  }

  /** Runs one of PostgreSQL's programs, as the user that owns the cluster. */
  void program(String name, String... arguments) {
    exec(command(name, arguments));
  }

  List<String> command(String name, String... arguments) {
    var command = new ArrayList<>(asPostgres());
    command.add(bin.resolve(name).toString());
    command.addAll(Arrays.asList(arguments));
    return command;
  }

  private static List<String> asPostgres() {
    return ROOT
        ? List.of("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        : List.of();
  }

  static void exec(List<String> command) {
    try {
      var builder = new ProcessBuilder(command).redirectErrorStream(true);
      builder.environment().put("TZ", "UTC");
      Process process = builder.start();
      var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
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

  /**
   * The first byte of the WAL that is there: {@code initdb} removes segments, the server here does
   * not.
   */
  Lsn firstLsn() throws IOException {
    try (Stream<Path> files = Files.list(wal())) {
      String first =
          files
              .map(file -> file.getFileName().toString())
              .filter(name -> name.matches("[0-9A-F]{24}"))
              .min(Comparator.naturalOrder())
              .orElseThrow();
      long id = Long.parseLong(first.substring(8, 16), 16);
      long inId = Long.parseLong(first.substring(16), 16);
      return new Lsn((id << 32) + inId * segmentBytes);
    }
  }

  Path segment(long lsn) {
    long number = lsn / segmentBytes;
    long perId = (1L << 32) / segmentBytes;
    return wal().resolve(String.format("%08X%08X%08X", 1, number / perId, number % perId));
  }

  /** Reads a whole segment at most at once, and nothing where there is no file. */
  int read(Lsn at, byte[] target, int offset, int length) throws IOException {
    int in = (int) (at.value() % segmentBytes);
    Path file = segment(at.value());
    if (!Files.exists(file)) {
      return 0;
    }
    try (FileChannel channel = FileChannel.open(file)) {
      int part = Math.min(length, segmentBytes - in);
      return Math.max(0, channel.read(ByteBuffer.wrap(target, offset, part), in));
    }
  }

  /** A cursor over all of its WAL. */
  WalCursor cursor() throws IOException {
    WalOptions options = WalOptions.ofSegments(segmentBytes);
    Lsn first = firstLsn();
    return new WalCursor(WalReader.seeking(options, first, first), this::read, 1 << 20);
  }

  /** Where its WAL ends. */
  Lsn endOfWal() throws IOException, WalException {
    WalCursor cursor = cursor();
    while (cursor.next()) {}
    return cursor.reader().end();
  }

  @Override
  public void close() throws IOException {
    try {
      stop("QUIT");
    } finally {
      try (Stream<Path> files = Files.walk(dir)) {
        files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      }
    }
  }
}
