package dev.ebb.computeservice.lifecycle;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** The thread that looks after a running compute until that ends. */
final class Caretaker {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition ending = lock.newCondition();
  private boolean ended;
  private @Nullable Thread thread;

  /** Has the work done by a thread of its own; it is over when {@link #pause} says so. */
  void start(String name, Runnable work) {
    lock.lock();
    try {
      thread = Thread.ofVirtual().name(name).start(work);
    } finally {
      lock.unlock();
    }
  }

  /** Waits so long, but not beyond the end; false once the compute ends. */
  boolean pause(long ms) {
    lock.lock();
    try {
      long left = TimeUnit.MILLISECONDS.toNanos(ms);
      while (!ended && left > 0) {
        left = ending.awaitNanos(left);
      }
      return !ended;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } finally {
      lock.unlock();
    }
  }

  /** Ends the pauses, and waits until the thread is gone. */
  void end() {
    Thread running;
    lock.lock();
    try {
      ended = true;
      ending.signalAll();
      running = thread;
      thread = null;
    } finally {
      lock.unlock();
    }
    join(running);
  }

  /** Waits until a thread is gone; an interrupt ends the waiting. */
  static void join(@Nullable Thread thread) {
    if (thread != null) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
