package dev.ebb.launcher.bench;

import dev.ebb.shared.model.Secret;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The same PostgreSQL as Ebb's computes run, on local files and with its own durability: what Ebb
 * is compared with. Used by one thread, stopped by any.
 */
final class BarePostgres {
  private static final String USER = "bare";
  private static final long START_TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(60);
  private static final long STOP_TIMEOUT_SECONDS = 60;
  private static final long READY_POLL_NANOS = TimeUnit.MICROSECONDS.toNanos(500);
  private static final int LOG_LINES_IN_ERROR = 15;

  private final PostgresPrograms programs;
  private final Path directory;
  private final Map<String, String> settings;
  private final Target target;
  private volatile @Nullable Process process;

  private BarePostgres(
      PostgresPrograms programs, Path directory, Map<String, String> settings, Target target) {
    this.programs = programs;
    this.directory = directory;
    this.settings = settings;
    this.target = target;
  }

  /**
   * Makes a cluster; it does not run yet.
   *
   * @param scratch exists already
   * @param settings passed as {@code -c}
   */
  static BarePostgres create(
      PostgresPrograms programs, Path scratch, Map<String, String> settings, Cleanup cleanup) {
    try {
      Path directory = Files.createTempDirectory(scratch, "bare");
      cleanup.add("delete " + directory, () -> Cleanup.deleteTree(directory));
      Path passwordFile = directory.resolve("password");
      var password = new Secret(java.util.UUID.randomUUID().toString());
      Files.createFile(
          passwordFile,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Files.writeString(passwordFile, password.reveal());
      programs.own(passwordFile);
      programs.own(directory);
      initdb(programs, directory, passwordFile);
      Files.delete(passwordFile);
      var target = new Target("PostgreSQL", "127.0.0.1", freePort(), "postgres", USER, password);
      var bare = new BarePostgres(programs, directory, settings, target);
      cleanup.add("stop the bare PostgreSQL", bare::stop);
      return bare;
    } catch (IOException e) {
      throw new BenchFailure("cannot make a bare PostgreSQL in " + scratch + ": " + e, e);
    }
  }

  /**
   * As Ebb's template is made, except for {@code --wal-segsize}: PostgreSQL keeps its usual 16 MB,
   * with which it is faster.
   */
  private static void initdb(PostgresPrograms programs, Path directory, Path passwordFile)
      throws IOException {
    List<String> command =
        programs.command(
            "initdb",
            "--pgdata=" + directory.resolve("data"),
            "--username=" + USER,
            "--pwfile=" + passwordFile,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-data-checksums",
            "--no-instructions");
    Process initdb = programs.builder(command, directory.resolve("initdb.log")).start();
    if (!waitFor(initdb, STOP_TIMEOUT_SECONDS) || initdb.exitValue() != 0) {
      initdb.destroyForcibly();
      throw new BenchFailure("initdb failed:\n" + tail(directory.resolve("initdb.log")));
    }
  }

  Target target() {
    return target;
  }

  /** Of the postmaster; 0 where none runs. */
  long pid() {
    Process running = process;
    return running == null ? 0 : running.pid();
  }

  /** Starts it and returns when it accepts connections. */
  void start() {
    Path data = directory.resolve("data");
    List<String> command =
        programs.command(
            "postgres",
            "-D",
            data.toString(),
            "-c",
            "listen_addresses=" + target.host(),
            "-c",
            "port=" + target.port(),
            "-c",
            "unix_socket_directories=");
    settings.forEach((name, value) -> {
      command.add("-c");
      command.add(name + "=" + value);
    });
    try {
      Process started = programs.builder(command, directory.resolve("postgres.log")).start();
      process = started;
      awaitReady(started, data.resolve("postmaster.pid"));
    } catch (IOException e) {
      throw new BenchFailure("cannot start " + command.getFirst() + ": " + e.getMessage(), e);
    }
  }

  /** As {@code pg_ctl} does: the 8th line of the pid file says so ({@code miscinit.c}). */
  private void awaitReady(Process started, Path pidFile) {
    long endNanos = System.nanoTime() + START_TIMEOUT_NANOS;
    while (!isReady(started, pidFile)) {
      if (!started.isAlive() || System.nanoTime() > endNanos) {
        throw new BenchFailure(
            "the bare PostgreSQL did not start:\n" + tail(directory.resolve("postgres.log")));
      }
      LockSupport.parkNanos(READY_POLL_NANOS);
    }
  }

  private static boolean isReady(Process started, Path pidFile) {
    try {
      List<String> lines = Files.readAllLines(pidFile, StandardCharsets.ISO_8859_1);
      return lines.size() >= 8
          && lines.get(0).strip().equals(Long.toString(started.pid()))
          && lines.get(7).strip().equals("ready");
    } catch (IOException e) {
      return false;
    }
  }

  /** Ends it with a shutdown checkpoint; nothing where it does not run. */
  void stop() throws IOException {
    Process running = process;
    if (running == null) {
      return;
    }
    for (String signal : List.of("INT", "QUIT", "KILL")) {
      if (!running.isAlive()) {
        break;
      }
      Process kill =
          new ProcessBuilder("kill", "-" + signal, Long.toString(running.pid()))
              .inheritIO()
              .start();
      waitFor(kill, STOP_TIMEOUT_SECONDS);
      waitFor(running, STOP_TIMEOUT_SECONDS);
    }
    process = null;
  }

  private static boolean waitFor(Process process, long seconds) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return process.waitFor(seconds, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
          // The process is to be gone all the same: the wait is bounded.
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static int freePort() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static String tail(Path log) {
    try {
      List<String> lines =
          Files.exists(log, LinkOption.NOFOLLOW_LINKS)
              ? Files.readAllLines(log, StandardCharsets.ISO_8859_1)
              : new ArrayList<>();
      return String.join(
          "\n", lines.subList(Math.max(0, lines.size() - LOG_LINES_IN_ERROR), lines.size()));
    } catch (IOException e) {
      return "(" + log + " cannot be read)";
    }
  }
}
