package dev.ebb.launcher.bench;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A PgBouncer in transaction mode in front of a compute: what Ebb's gateway is compared with.
 *
 * @param version such as {@code 1.18.0}
 * @param target that goes through it
 * @param preparedStatements whether it knows those of the protocol, as it does from 1.21 on
 */
record PgBouncer(String version, Target target, long pid, boolean preparedStatements) {
  private static final Pattern VERSION = Pattern.compile("PgBouncer ((\\d+)\\.(\\d+)\\S*)");
  private static final int FIRST_WITH_PREPARED = 21;
  private static final int MAX_CLIENTS = 20_000;
  private static final int PREPARED = 200;
  private static final long START_NANOS = TimeUnit.SECONDS.toNanos(30);
  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
  private static final int CONNECT_MS = 1_000;
  private static final long STOP_SECONDS = 20;

  /** Where it usually is; empty where it is not installed. */
  static Optional<Path> installed() {
    String path = System.getenv("PATH");
    List<String> directories = new ArrayList<>(List.of("/usr/sbin", "/usr/bin", "/usr/local/bin"));
    if (path != null) {
      directories.addAll(List.of(path.split(File.pathSeparator, -1)));
    }
    return directories.stream()
        .map(directory -> Path.of(directory, "pgbouncer"))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /**
   * Starts one.
   *
   * @param program the executable
   * @param programs say as whom: it refuses to be root
   * @param behind the compute
   * @param poolSize connections to the compute
   */
  static PgBouncer start(
      Path program,
      PostgresPrograms programs,
      Path scratch,
      Target behind,
      int poolSize,
      Cleanup cleanup) {
    try {
      Matcher version = VERSION.matcher(output(program));
      if (!version.find()) {
        throw new BenchFailure(program + " does not tell a version of PgBouncer");
      }
      boolean prepared =
          Integer.parseInt(version.group(2)) > 1
              || Integer.parseInt(version.group(3)) >= FIRST_WITH_PREPARED;
      Path directory = Files.createTempDirectory(scratch, "pgbouncer");
      programs.own(directory);
      int port = OwnServer.freePort();
      Path users =
          secret(
              programs,
              directory.resolve("users.txt"),
              "\"%s\" \"%s\"%n".formatted(behind.user(), behind.password().reveal()));
      Path settings =
          secret(
              programs,
              directory.resolve("pgbouncer.ini"),
              settings(behind, users, port, poolSize, prepared));
      List<String> command = programs.asUser();
      command.addAll(List.of(program.toString(), settings.toString()));
      Process process = programs.builder(command, directory.resolve("log")).start();
      cleanup.add(
          "stop PgBouncer",
          () -> {
            process.destroy();
            process.waitFor(STOP_SECONDS, TimeUnit.SECONDS);
            process.destroyForcibly();
          });
      awaitPort(process, port, directory.resolve("log"));
      var target =
          new Target(
              "PgBouncer", "127.0.0.1", port, behind.database(), behind.user(), behind.password());
      return new PgBouncer(version.group(1), target, process.pid(), prepared);
    } catch (IOException e) {
      throw new BenchFailure("cannot start " + program + ": " + e.getMessage(), e);
    }
  }

  private static String settings(
      Target behind, Path users, int port, int poolSize, boolean prepared) {
    return """
    [databases]
    %s = host=%s port=%d
    [pgbouncer]
    listen_addr = 127.0.0.1
    listen_port = %d
    unix_socket_dir =
    auth_type = scram-sha-256
    auth_file = %s
    pool_mode = transaction
    default_pool_size = %d
    max_client_conn = %d
    ignore_startup_parameters = extra_float_digits
    %s
    """
        .formatted(
            behind.database(),
            behind.host(),
            behind.port(),
            port,
            users,
            poolSize,
            MAX_CLIENTS,
            prepared ? "max_prepared_statements = " + PREPARED : "");
  }

  private static Path secret(PostgresPrograms programs, Path file, String text) throws IOException {
    Files.createFile(
        file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.writeString(file, text);
    programs.own(file);
    return file;
  }

  private static String output(Path program) throws IOException {
    Process process =
        new ProcessBuilder(program.toString(), "--version").redirectErrorStream(true).start();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  private static void awaitPort(Process process, int port, Path log) throws IOException {
    long endNanos = System.nanoTime() + START_NANOS;
    while (true) {
      try (var socket = new Socket()) {
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), CONNECT_MS);
        return;
      } catch (IOException e) {
        if (!process.isAlive() || System.nanoTime() > endNanos) {
          throw new BenchFailure("PgBouncer did not start:\n" + Files.readString(log), e);
        }
        LockSupport.parkNanos(POLL_NANOS);
      }
    }
  }
}
