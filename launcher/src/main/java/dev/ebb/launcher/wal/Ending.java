package dev.ebb.launcher.wal;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Lets a command end in order when it is interrupted: what it opened, a broker above all, is closed
 * before the process goes.
 */
final class Ending implements AutoCloseable {
  private static final int MAX_WAIT_SECONDS = 20;

  private final CountDownLatch ended = new CountDownLatch(1);

  /** Who reads; nobody while what is read from is opened or closed, which is not broken off. */
  private @Nullable Thread reader;

  private boolean asked;

  private Ending() {}

  /** From now on, until it is closed. Close it behind all that is to be closed. */
  static Ending onSignals() {
    var ending = new Ending();
    Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().unstarted(ending::ask));
    return ending;
  }

  /** What a command does between opening and closing. */
  @FunctionalInterface
  interface Work {
    int run() throws Exception;
  }

  /**
   * Runs what may be broken off anywhere: it may wait for a Kafka that does not answer, for
   * minutes.
   */
  int interruptibly(Work work) throws Exception {
    begin();
    try {
      return work.run();
    } finally {
      end();
    }
  }

  private synchronized void begin() {
    reader = Thread.currentThread();
    if (asked) {
      reader.interrupt();
    }
  }

  /** What follows closes things, and must not be broken off. */
  private synchronized void end() {
    reader = null;
    var _ = Thread.interrupted();
  }

  private synchronized void interrupt() {
    asked = true;
    if (reader != null) {
      reader.interrupt();
    }
  }

  private void ask() {
    interrupt();
    try {
      if (!ended.await(MAX_WAIT_SECONDS, TimeUnit.SECONDS)) {
        Runtime.getRuntime().halt(1);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  synchronized boolean isAsked() {
    return asked;
  }

  @Override
  public void close() {
    ended.countDown();
  }
}
