package dev.ebb.computeservice.postgres;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** A running postmaster. All waits are for virtual or worker threads, never an event loop. */
public final class PostgresProcess implements AutoCloseable {
  private PostgresProcess() {}

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
   */
  public record Spec(
      ProcessLauncher launcher,
      PostgresBinaries binaries,
      OsUser user,
      Path dataDirectory,
      List<String> arguments,
      Map<String, String> environment,
      Path logFile,
      String label) {}

  /**
   * Starts it and returns at once.
   *
   * @throws dev.ebb.shared.error.EbbException.Unavailable where it cannot be started
   */
  public static PostgresProcess start(Spec spec) {
    throw new UnsupportedOperationException("being written");
  }

  /**
   * Waits until connections are accepted.
   *
   * @throws dev.ebb.shared.error.EbbException.Unavailable where it exits or takes too long; the
   *     message carries the last lines of its log
   */
  public void awaitReady(Duration timeout) {
    throw new UnsupportedOperationException("being written");
  }

  /** The postmaster's. */
  public long pid() {
    throw new UnsupportedOperationException("being written");
  }

  /** Completes with the exit status (128 + signal where killed). */
  public CompletableFuture<Integer> exit() {
    throw new UnsupportedOperationException("being written");
  }

  /** Ends sessions, writes the shutdown checkpoint, stops; false where the timeout passed first. */
  public boolean stopFast(Duration timeout) {
    throw new UnsupportedOperationException("being written");
  }

  /** SIGQUIT: no checkpoint, as in a crash, but every child ends; waits for it. */
  public void stopImmediate() {
    throw new UnsupportedOperationException("being written");
  }

  /** SIGKILL for the postmaster: its children notice its death by themselves. */
  public void kill9() {
    throw new UnsupportedOperationException("being written");
  }

  /** The newest lines of its log, oldest first; at most 50. */
  public List<String> lastLogLines() {
    throw new UnsupportedOperationException("being written");
  }

  /** {@link #stopImmediate} where it still runs. */
  @Override
  public void close() {
    throw new UnsupportedOperationException("being written");
  }
}
