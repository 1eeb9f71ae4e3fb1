package dev.ebb.launcher.up;

import dev.ebb.launcher.config.ConfigReader;
import dev.ebb.launcher.config.ConfigReader.Flag;
import dev.ebb.launcher.config.EbbConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code ebb up}: everything in this process, from the start to Ctrl-C. */
public final class Up {
  private static final Logger log = LoggerFactory.getLogger(Up.class);

  /** Who presses Ctrl-C does not wait for a transaction that somebody forgot. */
  private static final Duration TERMINAL_DRAIN = Duration.ofSeconds(3);

  private Up() {}

  /**
   * Starts, tells how to use it, waits for a signal, stops.
   *
   * @param password of the first database's owner; null: made
   */
  public static void run(EbbConfig config, @Nullable String password, PrintWriter out)
      throws Exception {
    var signals = StopSignals.listen();
    try (var directory = DataDirectory.open(config.dataDir(), "lock")) {
      LogFile.start(directory.logDirectory(), "ebb");
      var progress = new Progress(out);
      var server = new WholeServer(config, directory, progress);
      try {
        server.start();
        Greeting greeting = server.greet(password);
        out.println(greeting.text());
        out.flush();
        log.info("started");
        signals.await();
        progress.say("stopping (a second Ctrl-C stops at once)...");
        server.drain(signals.isFromTerminal() ? TERMINAL_DRAIN : null);
      } finally {
        server.stop();
      }
      progress.say("stopped");
    }
  }

  /**
   * Starts and stops everything once, in a temporary directory: a JVM that is asked to records
   * which classes that took.
   */
  public static void train(PrintWriter out) throws Exception {
    Path directory = Files.createTempDirectory("ebb-training");
    try {
      train(directory, out);
    } finally {
      delete(directory);
    }
  }

  private static void train(Path path, PrintWriter out) throws Exception {
    List<Flag> flags =
        List.of(
            new Flag("--data", "dataDir", path.toString()),
            new Flag("--port", "gateway.port", String.valueOf(Ports.free())),
            new Flag("--pool-port", "gateway.pool.port", "0"),
            new Flag("--http-port", "api.httpPort", String.valueOf(Ports.free())));
    EbbConfig config = new ConfigReader(Map.of(), 4L << 30).read(null, flags);
    try (var directory = DataDirectory.open(path, "lock")) {
      var server = new WholeServer(config, directory, new Progress(out));
      try {
        server.start();
        out.println(server.greet(null).text());
      } finally {
        server.stop();
      }
    }
  }

  private static void delete(Path directory) throws IOException {
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException error)
              throws IOException {
            Files.delete(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
