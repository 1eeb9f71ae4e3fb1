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
    Path data = home.resolve("data");
    Path config = home.resolve("ebb.yaml");
    var lines = new ArrayList<String>();
    lines.add("dataDir: " + data);
    lines.add("gateway: {port: " + freePort() + "}");
    lines.add("api: {httpPort: " + freePort() + "}");
    lines.add("scaler: {idleTimeout: 0}");
    lines.add("compute:");
    compute.forEach(line -> lines.add("  " + line));
    Files.write(config, lines);
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            "dev.ebb.launcher.Main",
            "up",
            "--config",
            config.toString(),
            "--password",
            "bench"));
    Path printed = home.resolve("printed.log");
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
            .redirectOutput(printed.toFile())
            .start();
    cleanup.add(
        "stop the server in " + home,
        () -> {
          process.destroy();
          if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
          }
        });
    long endNanos = System.nanoTime() + START_NANOS;
    while (!Files.readString(printed).contains("Ebb is up")) {
      if (!process.isAlive() || System.nanoTime() > endNanos) {
        throw new BenchFailure("a server did not start:\n" + Files.readString(printed));
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    ServerLocation location = ServerLocation.read(data);
    if (location == null) {
      throw new BenchFailure("a server did not say where it listens");
    }
    return new BenchServer(location, Files.readString(data.resolve("token")).strip());
  }

  private static int freePort() throws IOException {
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
