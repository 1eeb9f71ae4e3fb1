package dev.ebb.launcher.process;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/** A JVM that runs {@code dev.ebb.launcher.Main}, with what it has printed so far. */
public final class EbbProcess implements AutoCloseable {
  private static final Duration POLL = Duration.ofMillis(20);
  private static final Duration CLOSE_BOUND = Duration.ofSeconds(30);

  private final Process process;
  private final List<String> lines = new CopyOnWriteArrayList<>();
  private final Thread reader;

  private EbbProcess(Process process, String name) {
    this.process = process;
    this.reader = Thread.ofVirtual().name(name).start(this::read);
  }

  /** Starts {@code ebb} with these words. */
  public static EbbProcess start(Path directory, Map<String, String> environment, String... words)
      throws IOException {
    return startMain("dev.ebb.launcher.Main", directory, environment, words);
  }

  /** Starts another program on the class path of the tests. */
  public static EbbProcess startMain(
      String main, Path directory, Map<String, String> environment, String... words)
      throws IOException {
    ProcessBuilder builder = builder(main, directory, environment, words).redirectErrorStream(true);
    return new EbbProcess(builder.start(), "output of " + String.join(" ", words));
  }

  /** {@code ebb} with these words, not started yet, for who wants its output for himself. */
  public static ProcessBuilder builder(
      Path directory, Map<String, String> environment, String... words) throws IOException {
    return builder("dev.ebb.launcher.Main", directory, environment, words);
  }

  private static ProcessBuilder builder(
      String main, Path directory, Map<String, String> environment, String... words)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xmx512m",
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            main));
    command.addAll(List.of(words));
    Files.createDirectories(directory);
    var builder = new ProcessBuilder(command).directory(directory.toFile());
    builder.environment().keySet().removeIf(name -> name.startsWith("EBB_"));
    builder.environment().putAll(environment);
    return builder;
  }

  private void read() {
    try (BufferedReader in = process.inputReader(StandardCharsets.UTF_8)) {
      in.lines().forEach(lines::add);
    } catch (IOException | UncheckedIOException e) {
      lines.add("(output ended: " + e.getMessage() + ")");
    }
  }

  public long pid() {
    return process.pid();
  }

  public String output() {
    return String.join("\n", lines);
  }

  /** The first line that contains the text, once there is one. */
  public String awaitLine(String text, Duration bound) throws InterruptedException {
    long deadline = System.nanoTime() + bound.toNanos();
    while (true) {
      for (String line : lines) {
        if (line.contains(text)) {
          return line;
        }
      }
      if (!process.isAlive()) {
        reader.join();
        if (lines.stream().noneMatch(line -> line.contains(text))) {
          throw new AssertionError(
              "ended with " + process.exitValue() + " without \"" + text + "\":\n" + output());
        }
      } else if (System.nanoTime() > deadline) {
        throw new AssertionError("no \"" + text + "\" within " + bound + ":\n" + output());
      } else if (process.waitFor(POLL.toMillis(), TimeUnit.MILLISECONDS)) {
        reader.join();
      }
    }
  }

  /** Sends a signal by its name, such as STOP. */
  public void signal(String name) throws IOException, InterruptedException {
    int status =
        new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid())).start().waitFor();
    if (status != 0) {
      throw new IOException("kill -" + name + " " + process.pid() + ": status " + status);
    }
  }

  /** Sends SIGTERM. */
  public void terminate() {
    process.destroy();
  }

  /** Sends SIGKILL and waits. */
  public void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
    reader.join();
  }

  /** The exit code, once there is one. */
  public int awaitExit(Duration bound) throws InterruptedException {
    if (!process.waitFor(bound.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new AssertionError("still running after " + bound + ":\n" + output());
    }
    reader.join();
    return process.exitValue();
  }

  /** Ends it, cleanly where that is possible in time. */
  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(CLOSE_BOUND.toSeconds(), TimeUnit.SECONDS)) {
        kill();
      }
      reader.join();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
