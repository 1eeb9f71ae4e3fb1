package dev.ebb.launcher.bench;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Runs {@code pgbench}. */
final class Pgbench {
  private static final Pattern TPS =
      Pattern.compile("^tps = ([0-9.]+) \\(without initial connection time\\)$", Pattern.MULTILINE);
  private static final Pattern FAILED =
      Pattern.compile("^number of failed transactions: ([0-9]+)", Pattern.MULTILINE);
  private static final int OUTPUT_IN_ERROR = 2_000;
  private static final int GRACE_SECONDS = 60;
  private static final int LOAD_SECONDS = 3_600;

  private final Path scratch;
  private final String protocol;
  private volatile @Nullable Process running;

  /** What pgbench does. */
  enum Workload {
    SELECT_ONLY("select-only", "-S"),
    TPC_B("TPC-B", "-btpcb-like");

    private final String words;
    private final String option;

    Workload(String words, String option) {
      this.words = words;
      this.option = option;
    }

    String words() {
      return words;
    }
  }

  /**
   * @param scratch takes what it prints
   * @param protocol {@code simple}, {@code extended} or {@code prepared}
   */
  Pgbench(Path scratch, String protocol, Cleanup cleanup) {
    this.scratch = scratch;
    this.protocol = protocol;
    cleanup.add(
        "stop pgbench",
        () -> {
          Process process = running;
          if (process != null) {
            process.destroy();
            process.waitFor(GRACE_SECONDS, TimeUnit.SECONDS);
          }
        });
  }

  /** Fails where there is no {@code pgbench} in the path. */
  static void requireInstalled() {
    String path = System.getenv("PATH");
    for (String directory : (path == null ? "" : path).split(File.pathSeparator, -1)) {
      if (Files.isExecutable(Path.of(directory, "pgbench"))) {
        return;
      }
    }
    throw new BenchFailure(
        "pgbench is missing: install PostgreSQL's client programs"
            + " (Debian: apt-get install postgresql)");
  }

  /** Makes and fills pgbench's tables: {@code scale} × 100,000 accounts, 15 MB each. */
  void load(Target target, int scale) {
    run(
        List.of("pgbench", "-i", "-q", "-s", Integer.toString(scale)),
        target.libpqEnvironment(),
        LOAD_SECONDS);
  }

  /**
   * Runs TPC-B and adds each transaction's latency; returns transactions a second.
   *
   * @param rate of transactions, all clients together; 0 for as many as there can be. Latency then
   *     counts from when one was due
   */
  double latencies(Target target, int clients, int rate, int seconds, Samples samples) {
    int threads = Math.clamp(clients / 2, 1, Runtime.getRuntime().availableProcessors());
    try {
      Path logs = Files.createTempDirectory(scratch, "latencies");
      List<String> command =
          new ArrayList<>(List.of("pgbench", Workload.TPC_B.option, "-n", "-l", "-M", protocol));
      command.addAll(List.of("--log-prefix", logs.resolve("log").toString()));
      command.addAll(List.of("-c", Integer.toString(clients), "-j", Integer.toString(threads)));
      command.addAll(List.of("-T", Integer.toString(seconds)));
      if (rate > 0) {
        command.addAll(List.of("-R", Integer.toString(rate)));
      }
      String output = run(command, target.libpqEnvironment(), seconds + GRACE_SECONDS);
      try (DirectoryStream<Path> files = Files.newDirectoryStream(logs)) {
        for (Path file : files) {
          try (Stream<String> lines = Files.lines(file)) {
            // client, number, latency in us, …
            lines.forEach(line -> samples.addMicros(Long.parseLong(line.split(" ", 4)[2])));
          }
        }
      }
      Cleanup.deleteTree(logs);
      return tps(target, output);
    } catch (IOException e) {
      throw new BenchFailure("pgbench's log cannot be read: " + e.getMessage(), e);
    }
  }

  /** Transactions a second, without the time that connecting took. */
  double run(Target target, Workload workload, int clients, int seconds) {
    // With more threads than one for each two clients, pgbench itself gets in the way.
    int threads = Math.clamp(clients / 2, 1, Runtime.getRuntime().availableProcessors());
    String output =
        run(
            List.of(
                "pgbench",
                workload.option,
                "-n",
                "-M",
                protocol,
                "-c",
                Integer.toString(clients),
                "-j",
                Integer.toString(threads),
                "-T",
                Integer.toString(seconds)),
            target.libpqEnvironment(),
            seconds + GRACE_SECONDS);
    return tps(target, output);
  }

  static double tps(Target target, String output) {
    Matcher failed = FAILED.matcher(output);
    if (failed.find() && !failed.group(1).equals("0")) {
      throw new BenchFailure(
          failed.group(1) + " transactions failed on " + target.name() + ":\n" + end(output));
    }
    Matcher tps = TPS.matcher(output);
    if (!tps.find()) {
      throw new BenchFailure("pgbench on " + target.name() + " told no tps:\n" + end(output));
    }
    return Double.parseDouble(tps.group(1));
  }

  private String run(List<String> command, Map<String, String> environment, int timeoutSeconds) {
    Process process = null;
    try {
      Path output = Files.createTempFile(scratch, "pgbench", ".log");
      var builder =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
              .redirectOutput(output.toFile());
      builder.environment().putAll(environment);
      builder.environment().put("LC_ALL", "C");
      process = builder.start();
      running = process;
      if (!process.waitFor(timeoutSeconds, TimeUnit.SECONDS)) {
        throw new BenchFailure("pgbench did not end within " + timeoutSeconds + " s");
      }
      String printed = Files.readString(output, StandardCharsets.ISO_8859_1);
      if (process.exitValue() != 0) {
        throw new BenchFailure("pgbench failed:\n" + end(printed));
      }
      return printed;
    } catch (IOException e) {
      throw new BenchFailure("pgbench cannot be run: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchFailure("interrupted", e);
    } finally {
      running = null;
      if (process != null) {
        process.destroy();
      }
    }
  }

  private static String end(String output) {
    return output.substring(Math.max(0, output.length() - OUTPUT_IN_ERROR));
  }
}
