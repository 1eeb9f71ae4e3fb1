package dev.ebb.launcher.wal;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets a command end in order when it is interrupted: what it opened, a broker above all, is closed
 * before the process goes.
 */
final class Ending implements AutoCloseable {
  private static final int MAX_WAIT_SECONDS = 20;

  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile boolean asked;

  private Ending() {}

  /** From now on, until it is closed. Close it behind all that is to be closed. */
  static Ending onSignals() {
    var ending = new Ending();
    Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().unstarted(ending::ask));
    return ending;
  }

  private void ask() {
    asked = true;
    try {
      if (!ended.await(MAX_WAIT_SECONDS, TimeUnit.SECONDS)) {
        Runtime.getRuntime().halt(1);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  boolean isAsked() {
    return asked;
  }

  @Override
  public void close() {
    ended.countDown();
  }
}
