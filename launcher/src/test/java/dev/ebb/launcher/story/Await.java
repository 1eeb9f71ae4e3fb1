package dev.ebb.launcher.story;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Waits for a condition, with a bound. */
final class Await {
  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  private Await() {}

  /** May fail in any way. */
  @FunctionalInterface
  interface Condition {
    boolean holds() throws Exception;
  }

  /**
   * @param what for the message where it does not come about
   */
  static void until(String what, Duration bound, Condition condition) throws Exception {
    long begin = System.nanoTime();
    while (!condition.holds()) {
      if (System.nanoTime() - begin > bound.toNanos()) {
        throw new AssertionError("not within " + bound + ": " + what);
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }
}
