package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running postmaster. All waits are for virtual or worker threads, never an event loop.
 *
 * <p>Signals of orderly ends go to the process that was started (a supervisor passes them on),
 * which is this process's child, so that its id cannot have been given to another one.
 */
public final class PostgresProcess implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PostgresProcess.class);
  private static final long POLL_NANOS = 1_000_000;
  private static final Duration IMMEDIATE_TIMEOUT = Duration.ofSeconds(10);

  /** {@code LOCK_FILE_LINE_PM_STATUS} in {@code src/include/utils/pidfile.h}. */
  private static final int STATUS_LINE = 8;

  private static final int MAX_PID_LINE_BYTES = 32;
  private static final String STATISTICS_COLLECTOR = "postgres: stats collector";

  /** Heartbeats of all processes: a byte into a pipe each, which does not block. */
  private static final ScheduledExecutorService BEATS =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("postgres-heartbeats").factory());

  private final Spec spec;
  private final Process process;
  private final ProcessLog log;
  private final Thread logReader;
  private final long pid;
  private final CompletableFuture<Integer> exit;
  private final @Nullable ScheduledFuture<?> beats;

  /**
   * What to start.
   *
   * @param launcher how
   * @param binaries which PostgreSQL
   * @param user the OS user it runs as
   * @param dataDirectory owned by that user, mode 0700
   * @param arguments of {@link PostgresSettings#arguments()}
   * @param environment everything the process sees beside PATH, LC_ALL and TZ
   * @param logFile gets every line of its log
   * @param label names it in Ebb's own log: the branch
   * @param mayLive asked before every heartbeat: once it says no, the supervisor ends the process
   *     when the lease runs out
   */
  public record Spec(
      ProcessLauncher launcher,
      PostgresBinaries binaries,
      OsUser user,
      Path dataDirectory,
      List<String> arguments,
      Map<String, String> environment,
      Path logFile,
      String label,
      BooleanSupplier mayLive) {}

  private PostgresProcess(Spec spec, Process process, ProcessLog log, Thread logReader, long pid) {
    this.spec = spec;
    this.process = process;
    this.log = log;
    this.logReader = logReader;
    this.pid = pid;
    this.exit = process.onExit().thenApply(Process::exitValue);
    this.beats = startBeats();
  }

  /**
   * Starts it and returns at once.
   *
   * @throws EbbException.Unavailable where it cannot be started
   */
  public static PostgresProcess start(Spec spec) {
    var program = new ArrayList<String>(spec.arguments().size() + 3);
    program.add(spec.binaries().bin("postgres").toString());
    program.add("-D");
    program.add(spec.dataDirectory().toString());
    program.addAll(spec.arguments());
    var builder =
        new ProcessBuilder(spec.launcher().command(spec.dataDirectory(), spec.user(), program));
    Map<String, String> environment = builder.environment();
    environment.clear();
    environment.put("PATH", "/usr/local/bin:/usr/bin:/bin");
    environment.put("LC_ALL", "C");
    environment.put("TZ", "UTC");
    environment.putAll(spec.environment());
    Process process;
    try {
      process = builder.start();
    } catch (IOException e) {
      throw new EbbException.Unavailable("cannot start PostgreSQL: " + e.getMessage(), e);
    }
    var log = new ProcessLog(spec.logFile(), spec.label());
    Thread reader =
        Thread.ofPlatform()
            .daemon()
            .name("postgres-log-" + spec.label())
            .start(() -> log.consume(process.getErrorStream()));
    try {
      return new PostgresProcess(
          spec,
          process,
          log,
          reader,
          spec.launcher().printsPid() ? readPid(process) : process.pid());
    } catch (IOException e) {
      process.destroyForcibly();
      awaitEnd(reader);
      throw new EbbException.Unavailable(
          "PostgreSQL did not start: " + String.join(" | ", log.newest()), e);
    }
  }

  private static long readPid(Process process) throws IOException {
    InputStream in = process.getInputStream();
    var line = new StringBuilder();
    for (int b = in.read(); b != '\n'; b = in.read()) {
      if (b < 0 || line.length() == MAX_PID_LINE_BYTES) {
        throw new IOException("the supervisor said no process id");
      }
      line.append((char) b);
    }
    if (!line.toString().matches("pid [1-9]\\d{0,9}")) {
      throw new IOException("the supervisor said no process id");
    }
    return Long.parseLong(line.substring(4));
  }

  private static void awaitEnd(Thread reader) {
    try {
      reader.join(Duration.ofSeconds(1));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private @Nullable ScheduledFuture<?> startBeats() {
    long everyMs = spec.launcher().heartbeat().toMillis();
    if (everyMs == 0) {
      return null;
    }
    return BEATS.scheduleAtFixedRate(this::beat, 0, everyMs, TimeUnit.MILLISECONDS);
  }

  private void beat() {
    if (!process.isAlive()) {
      throw new CancellationException("no further heartbeats: the process has ended");
    }
    if (!spec.mayLive().getAsBoolean()) {
      return;
    }
    try {
      OutputStream out = process.getOutputStream();
      out.write('.');
      out.flush();
    } catch (IOException e) {
      LOG.debug("[{}] no heartbeat: {}", spec.label(), e.toString());
    }
  }

  /**
   * Waits until connections are accepted: until {@code postmaster.pid} says {@code ready}, or
   * {@code standby} for a hot standby.
   *
   * @throws EbbException.Unavailable where it exits or takes too long; the message carries the last
   *     lines of its log
   */
  public void awaitReady(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    Path status = spec.dataDirectory().resolve("postmaster.pid");
    String own = Long.toString(pid);
    while (!says(status, own, "ready", "standby")) {
      if (exit.isDone()) {
        // Its last words may still be on their way.
        awaitEnd(logReader);
        throw failed("PostgreSQL ended with status " + process.exitValue() + " while starting");
      }
      if (System.nanoTime() - deadline > 0) {
        throw failed("PostgreSQL is not ready after " + timeout.toMillis() + " ms");
      }
      LockSupport.parkNanos(POLL_NANOS);
      if (Thread.interrupted()) {
        Thread.currentThread().interrupt();
        throw failed("interrupted while PostgreSQL starts");
      }
    }
  }

  private static boolean says(Path file, String ownPid, String... wanted) {
    try {
      // Parts may be missing while it is written: then the next look tells.
      String[] lines = Files.readString(file, StandardCharsets.ISO_8859_1).split("\n", -1);
      return lines.length >= STATUS_LINE
          && lines[0].equals(ownPid)
          && Arrays.stream(wanted).anyMatch(lines[STATUS_LINE - 1]::startsWith);
    } catch (NoSuchFileException e) {
      return false;
    } catch (IOException e) {
      throw new EbbException.Unavailable("cannot read " + file, e);
    }
  }

  private EbbException failed(String what) {
    List<String> lines = log.newest();
    List<String> last = lines.subList(Math.max(0, lines.size() - 10), lines.size());
    return new EbbException.Unavailable(
        what
            + (last.isEmpty() ? "; it logged nothing" : "; its log ends: ")
            + String.join(" | ", last));
  }

  /** The postmaster's. */
  public long pid() {
    return pid;
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /**
   * Completes with the exit status (128 + signal where killed), when all its processes ended. 0 is
   * no proof of a clean stop, since an immediate one ends with 0 as well: {@link
   * PgControl#stoppedCleanly()} is.
   */
  public CompletableFuture<Integer> exit() {
    return exit.copy();
  }

  /**
   * Lets nobody in any more: a smart shutdown, in which present sessions stay. Returns when the
   * postmaster has heard of it: what it lets in from then on is told off and does nothing ({@code
   * process_pm_shutdown_request} in {@code postmaster.c} writes the status and then refuses, in the
   * one thread that also accepts).
   *
   * @return false where it did not hear in time, or has ended
   */
  public boolean refuseConnections(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    Path status = spec.dataDirectory().resolve("postmaster.pid");
    String own = Long.toString(pid);
    signalChild(Signals.SIGTERM);
    while (!says(status, own, "stopping")) {
      if (exit.isDone()
          || System.nanoTime() - deadline > 0
          || Thread.currentThread().isInterrupted()) {
        return false;
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    return true;
  }

  /**
   * The processes that the postmaster has started and that live: sessions and others. Not the
   * statistics collector of 14, which is in no shared memory, so that PostgreSQL itself does not
   * tell of it.
   */
  public Set<Long> children() {
    boolean collects = spec.binaries().version().major() < 15;
    return ProcessHandle.of(pid).stream()
        .flatMap(ProcessHandle::children)
        .map(ProcessHandle::pid)
        .filter(child -> !collects || !isStatisticsCollector(child))
        .collect(Collectors.toSet());
  }

  /** By its title: a session's goes on with database and address behind whatever its role is. */
  private static boolean isStatisticsCollector(long pid) {
    try {
      String title =
          Files.readString(
              Path.of("/proc", Long.toString(pid), "cmdline"), StandardCharsets.ISO_8859_1);
      return title.replace('\0', ' ').strip().equals(STATISTICS_COLLECTOR);
    } catch (IOException e) {
      return false; // it has just ended
    }
  }

  /**
   * Ends sessions, writes the shutdown checkpoint, sends it to the standby and stops; false where
   * the timeout passed first.
   */
  public boolean stopFast(Duration timeout) {
    signalChild(Signals.SIGINT);
    return awaitExit(timeout);
  }

  /** SIGQUIT: no checkpoint, as in a crash, but every child ends; waits for it. */
  public void stopImmediate() {
    stopImmediate(IMMEDIATE_TIMEOUT);
  }

  /**
   * The same, and SIGKILL for those that still run after {@code patience}: none of them, such as
   * one that SIGSTOP holds, is there when this returns.
   */
  public void stopImmediate(Duration patience) {
    signalChild(Signals.SIGQUIT);
    if (!awaitExit(patience)) {
      LOG.warn("[{}] PostgreSQL ignores SIGQUIT: killing it", spec.label());
      kill9();
      awaitExit(IMMEDIATE_TIMEOUT);
    }
  }

  /** SIGKILL for the postmaster: its children notice its death, or the supervisor ends them. */
  public void kill9() {
    if (process.isAlive()) {
      Signals.send(pid, Signals.SIGKILL);
    }
  }

  private void signalChild(int signal) {
    if (process.isAlive()) {
      Signals.send(process.pid(), signal);
    }
  }

  private boolean awaitExit(Duration timeout) {
    try {
      exit.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } catch (ExecutionException e) {
      throw new IllegalStateException("waiting for a process failed", e);
    }
  }

  /** The newest lines of its log, oldest first; at most 50. */
  public List<String> lastLogLines() {
    return log.newest();
  }

  /** {@link #stopImmediate} where it still runs. */
  @Override
  public void close() {
    if (process.isAlive()) {
      stopImmediate();
    }
    if (beats != null) {
      beats.cancel(false);
    }
  }
}
