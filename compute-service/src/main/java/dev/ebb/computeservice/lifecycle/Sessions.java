package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.postgres.PostgresProcess;
import dev.ebb.computeservice.sql.AdminConnection;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.error.EbbException;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;

/** Ends the sessions of a PostgreSQL, so that what is read next is what the last of them left. */
final class Sessions {
  private static final Duration PAUSE = Duration.ofMillis(2);

  private Sessions() {}

  /**
   * Lets nobody in any more and ends every session but {@code last}; returns when they are gone.
   * Each process that the postmaster had started when it began to refuse is accounted for: it has
   * ended, or PostgreSQL says that it is no session. One that was only just forked says nothing of
   * itself yet, and is waited for.
   *
   * @throws EbbException.Unavailable where that takes longer than {@code timeout}
   */
  static void endAll(PostgresProcess postgres, AdminConnection last, Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    if (!postgres.refuseConnections(timeout)) {
      throw new EbbException.Unavailable(
          "PostgreSQL did not begin to refuse connections within " + timeout.toMillis() + " ms");
    }
    Set<Long> unaccounted = new HashSet<>(postgres.children());
    while (true) {
      Set<Long> others = BlockingBus.await(last.endSessions(), timeout.toMillis());
      unaccounted.removeAll(others);
      if (!unaccounted.isEmpty()) {
        unaccounted.retainAll(postgres.children());
      }
      if (unaccounted.isEmpty()) {
        return;
      }
      if (System.nanoTime() - deadline > 0 || Thread.currentThread().isInterrupted()) {
        throw new EbbException.Unavailable(
            unaccounted.size() + " sessions did not end within " + timeout.toMillis() + " ms");
      }
      LockSupport.parkNanos(PAUSE.toNanos());
    }
  }
}
