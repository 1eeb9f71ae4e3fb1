package dev.ebb.walservice.topic;

import java.util.concurrent.locks.ReentrantLock;

/**
 * A thread that can be interrupted except while it is in {@link #guard}: an interrupt closes the
 * file that a thread writes, and when that is one of the embedded Kafka's, Kafka takes its disk for
 * broken and ends the process. The interrupt comes when the guard is left.
 */
public final class GuardedThread extends Thread {
  private final ReentrantLock lock = new ReentrantLock();
  private boolean guarded;
  private boolean interruptedMeanwhile;

  /** A daemon that is not started yet. */
  public GuardedThread(String name, Runnable task) {
    super(task, name);
    setDaemon(true);
  }

  @Override
  public void interrupt() {
    lock.lock();
    try {
      if (guarded) {
        interruptedMeanwhile = true;
      } else {
        super.interrupt();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Runs what must not be interrupted; on this thread only, not within itself. */
  void guard(Runnable action) {
    if (Thread.currentThread() != this || guarded) {
      throw new IllegalStateException("not on the thread itself, or within a guard");
    }
    lock.lock();
    try {
      guarded = true;
      interruptedMeanwhile = Thread.interrupted();
    } finally {
      lock.unlock();
    }
    try {
      action.run();
    } finally {
      lock.lock();
      try {
        guarded = false;
        if (interruptedMeanwhile) {
          super.interrupt();
        }
      } finally {
        lock.unlock();
      }
    }
  }
}
