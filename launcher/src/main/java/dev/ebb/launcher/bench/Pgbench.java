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
  private static final Pattern RECONNECTING_TPS =
      Pattern.compile("^tps = ([0-9.]+) \\(including reconnection times\\)$", Pattern.MULTILINE);
  private static final Pattern TRANSACTIONS =
      Pattern.compile("^number of transactions actually processed: ([0-9]+)", Pattern.MULTILINE);
  private static final Pattern FAILED =
      Pattern.compile("^number of failed transactions: ([0-9]+)", Pattern.MULTILINE);

  /** Of the transactions: writing all of them down costs a tenth of the throughput. */
  private static final String LOGGED = "0.02";

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
      addLatencies(logs, samples);
      return tps(target, output);
    } catch (IOException e) {
      throw new BenchFailure("pgbench's log cannot be read: " + e.getMessage(), e);
    }
  }

  /**
   * What a run of select-only showed.
   *
   * @param transactions all of them, for what is to be divided by them
   */
  record Selected(double tps, long transactions) {}

  /**
   * Runs select-only and adds the latencies of one transaction in fifty.
   *
   * @param protocol {@code simple}, {@code extended} or {@code prepared}
   * @param reconnect a connection for each transaction
   */
  Selected selectOnly(
      Target target,
      String protocol,
      boolean reconnect,
      int clients,
      int seconds,
      Samples samples) {
    int threads = Math.clamp(clients / 2, 1, Runtime.getRuntime().availableProcessors());
    try {
      Path logs = Files.createTempDirectory(scratch, "latencies");
      List<String> command =
          new ArrayList<>(List.of("pgbench", Workload.SELECT_ONLY.option, "-n", "-M", protocol));
      command.addAll(List.of("-l", "--sampling-rate", reconnect ? "1" : LOGGED));
      command.addAll(List.of("--log-prefix", logs.resolve("log").toString()));
      command.addAll(List.of("-c", Integer.toString(clients), "-j", Integer.toString(threads)));
      command.addAll(List.of("-T", Integer.toString(seconds)));
      if (reconnect) {
        command.add("-C");
      }
      String output = run(command, target.libpqEnvironment(), seconds + GRACE_SECONDS);
      addLatencies(logs, samples);
      Matcher transactions = TRANSACTIONS.matcher(output);
      if (!transactions.find()) {
        throw new BenchFailure("pgbench on " + target.name() + " told no number:\n" + end(output));
      }
      return new Selected(
          reconnect ? tps(target, output, RECONNECTING_TPS) : tps(target, output),
          Long.parseLong(transactions.group(1)));
    } catch (IOException e) {
      throw new BenchFailure("pgbench's log cannot be read: " + e.getMessage(), e);
    }
  }

  /** Connects clients that do nothing, until the cleanup or {@link Process#destroy} ends them. */
  Process idle(Target target, int clients, Cleanup cleanup) {
    try {
      Path script = Files.writeString(scratch.resolve("idle.sql"), "\\sleep 3600 s\n");
      var builder =
          new ProcessBuilder(
                  "pgbench",
                  "-n",
                  "-f",
                  script.toString(),
                  "-c",
                  Integer.toString(clients),
                  "-T",
                  Integer.toString(LOAD_SECONDS))
              .redirectErrorStream(true)
              .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
              .redirectOutput(ProcessBuilder.Redirect.DISCARD);
      builder.environment().putAll(target.libpqEnvironment());
      Process process = builder.start();
      cleanup.add("stop the idle clients", process::destroyForcibly);
      return process;
    } catch (IOException e) {
      throw new BenchFailure("pgbench cannot be run: " + e.getMessage(), e);
    }
  }

  private static void addLatencies(Path logs, Samples samples) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(logs)) {
      for (Path file : files) {
        try (Stream<String> lines = Files.lines(file)) {
          // client, number, latency in us, …
          lines.forEach(line -> samples.addMicros(Long.parseLong(line.split(" ", 4)[2])));
        }
      }
    }
    Cleanup.deleteTree(logs);
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
    return tps(target, output, TPS);
  }

  private static double tps(Target target, String output, Pattern pattern) {
    Matcher failed = FAILED.matcher(output);
    if (failed.find() && !failed.group(1).equals("0")) {
      throw new BenchFailure(
          failed.group(1) + " transactions failed on " + target.name() + ":\n" + end(output));
    }
    Matcher tps = pattern.matcher(output);
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
