package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.client.ServerLocation;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A server that a bench starts itself, with settings that are compared, in a JVM with this one's
 * options.
 */
final class OwnServer {
  private static final long START_NANOS = TimeUnit.MINUTES.toNanos(3);
  private static final long STOP_SECONDS = 90;
  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private OwnServer() {}

  /**
   * Starts one and waits until it answers.
   *
   * @param home an empty directory for all its files
   * @param compute lines of the configuration's section of that name, indented by nothing
   */
  static BenchServer start(Path home, List<String> compute, Cleanup cleanup)
      throws IOException, ApiException {
    var lines = new ArrayList<String>();
    lines.add("gateway: {port: " + freePort() + ", pool: {port: none}}");
    lines.add("scaler: {idleTimeout: 0}");
    lines.add("compute:");
    compute.forEach(line -> lines.add("  " + line));
    launch(home, lines, Map.of(), List.of("up"), cleanup);
    return found(home);
  }

  static BenchServer found(Path home) throws IOException {
    Path data = home.resolve("data");
    ServerLocation location = ServerLocation.read(data);
    if (location == null) {
      throw new BenchFailure("a server did not say where it listens");
    }
    return new BenchServer(location, Files.readString(data.resolve("token")).strip());
  }

  /**
   * Starts a process of Ebb's and waits until it is up.
   *
   * @param home for its files; the configuration and the data directory are made in it
   * @param lines of the configuration, but for the data directory and the API's port
   * @param environment to be added
   * @param command {@code up}, or {@code run} and a service
   */
  static Process launch(
      Path home,
      List<String> lines,
      Map<String, String> environment,
      List<String> command,
      Cleanup cleanup)
      throws IOException {
    Path config = home.resolve("ebb.yaml");
    List<String> all = new ArrayList<>();
    all.add("dataDir: " + home.resolve("data"));
    all.add("api: {httpPort: " + freePort() + "}");
    all.addAll(lines);
    Files.write(config, all);
    List<String> words = new ArrayList<>();
    words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    words.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    words.addAll(List.of("-cp", System.getProperty("java.class.path"), "dev.ebb.launcher.Main"));
    words.addAll(command);
    words.addAll(List.of("--config", config.toString()));
    if (command.equals(List.of("up"))) {
      words.addAll(List.of("--password", "bench"));
    }
    Path printed = home.resolve("printed.log");
    var builder =
        new ProcessBuilder(words)
            .redirectErrorStream(true)
            .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
            .redirectOutput(printed.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    cleanup.add(
        "stop the server in " + home,
        () -> {
          process.destroy();
          if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
          }
        });
    String ready = command.equals(List.of("up")) ? "Ebb is up" : " is up";
    long endNanos = System.nanoTime() + START_NANOS;
    while (!Files.readString(printed).contains(ready)) {
      if (!process.isAlive() || System.nanoTime() > endNanos) {
        throw new BenchFailure("a server did not start:\n" + Files.readString(printed));
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    return process;
  }

  static int freePort() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  /** A new directory below {@code parent} that PostgreSQL's user can pass through. */
  static Path home(Path parent, String name, Cleanup cleanup) throws IOException {
    Path home = Files.createTempDirectory(Files.createDirectories(parent), name);
    Files.setPosixFilePermissions(home, PosixFilePermissions.fromString("rwx--x--x"));
    cleanup.add("delete " + home, () -> Cleanup.deleteTree(home));
    return home;
  }
}
