package dev.ebb.pageservice.check;

import dev.ebb.shared.bus.PageMessage.CheckProgress;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Finding;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Kind;
import java.time.Clock;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Hands what a check finds to whoever asks; the check waits where too much is not fetched, and ends
 * where nobody asks any more. Thread-safe.
 */
final class Findings {
  private static final int MAX_WAITING = 10_000;
  private static final int MAX_OF_ONE_ANSWER = 500;
  private static final long IDLE_MS = 60_000;
  private static final long ANSWER_WITHIN_MS = 1_000;

  private final Clock clock;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Deque<Finding> waiting = new ArrayDeque<>();
  private long bytesDone;
  private long bytesTotal;
  private long objects;
  private long pages;
  private boolean finished;
  private boolean abandoned;
  private long askedMs;

  /** Nobody waits for the check any more. */
  static final class Abandoned extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Abandoned() {
      super("nobody asks for this check any more");
    }
  }

  Findings(Clock clock) {
    this.clock = clock;
    this.askedMs = clock.millis();
  }

  void add(Kind kind, String object, long bytes, String problem) {
    lock.lock();
    try {
      while (waiting.size() >= MAX_WAITING) {
        requireAsked();
        if (changed.awaitNanos(TimeUnit.MILLISECONDS.toNanos(ANSWER_WITHIN_MS)) <= 0) {
          requireAsked();
        }
      }
      waiting.addLast(new Finding(kind, object, bytes, problem));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Abandoned();
    } finally {
      lock.unlock();
    }
  }

  void total(long bytes) {
    locked(() -> bytesTotal += bytes);
  }

  void checked(long moreObjects, long morePages, long bytes) {
    locked(() -> {
      requireAsked();
      objects += moreObjects;
      pages += morePages;
      bytesDone += bytes;
    });
  }

  void finish() {
    locked(() -> {
      finished = true;
      changed.signalAll();
    });
  }

  void abandon() {
    locked(() -> {
      abandoned = true;
      changed.signalAll();
    });
  }

  /** Whether it is of no use any more: nobody asks, or everything was told. */
  boolean isOver() {
    lock.lock();
    try {
      return abandoned || clock.millis() - askedMs > IDLE_MS;
    } finally {
      lock.unlock();
    }
  }

  private void requireAsked() {
    if (abandoned || clock.millis() - askedMs > IDLE_MS) {
      throw new Abandoned();
    }
  }

  private void locked(Runnable action) {
    lock.lock();
    try {
      action.run();
    } finally {
      lock.unlock();
    }
  }

  /** How far it is: after a second, or once it has finished. */
  CheckProgress progress() {
    lock.lock();
    try {
      askedMs = clock.millis();
      long left = TimeUnit.MILLISECONDS.toNanos(ANSWER_WITHIN_MS);
      while (!finished && left > 0 && waiting.size() < MAX_OF_ONE_ANSWER) {
        left = changed.awaitNanos(left);
      }
      List<Finding> some = new ArrayList<>();
      while (some.size() < MAX_OF_ONE_ANSWER && !waiting.isEmpty()) {
        some.add(waiting.removeFirst());
      }
      changed.signalAll();
      return new CheckProgress(
          finished && waiting.isEmpty(),
          bytesDone,
          Math.max(bytesTotal, bytesDone),
          objects,
          pages,
          some);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Abandoned();
    } finally {
      lock.unlock();
    }
  }
}
