package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.sql.Activity;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Knows when a primary was used last, and decides whether an idle suspend may have it. A wake and
 * an idle suspend that meet here cannot both get what they want: the wake first notes its use and
 * then looks whether the gate is closed; the suspend first closes the gate and then looks for uses.
 * One of the two sees the other, and where it is the suspend, it gives way.
 *
 * <p>Thread-safe.
 */
final class UseGate {
  private final LongSupplier nanoTime;
  private final ReentrantLock observing = new ReentrantLock();
  private long sessionsSeen;
  private final AtomicLong usedAtNanos;
  private volatile boolean closed;

  UseGate(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
    this.usedAtNanos = new AtomicLong(nanoTime.getAsLong());
  }

  /**
   * Somebody is about to use the primary.
   *
   * @return false where it is being suspended: only who waits for the outcome learns what to do
   */
  boolean use() {
    usedAt(nanoTime.getAsLong());
    return !closed;
  }

  /** What the primary says of itself. */
  void observe(Activity now) {
    observing.lock();
    try {
      long present = nanoTime.getAsLong();
      if (now.sessionsEver() != sessionsSeen
          || now.idleMs() == 0
          || now.replicationConnections() > 0) {
        sessionsSeen = now.sessionsEver();
        usedAt(present);
      } else if (now.idleMs() != Long.MAX_VALUE) {
        usedAt(present - TimeUnit.MILLISECONDS.toNanos(now.idleMs()));
      }
    } finally {
      observing.unlock();
    }
  }

  private void usedAt(long nanos) {
    usedAtNanos.accumulateAndGet(nanos, (known, used) -> used - known > 0 ? used : known);
  }

  /** For how long nothing has used it. */
  long idleMs() {
    return TimeUnit.NANOSECONDS.toMillis(nanoTime.getAsLong() - usedAtNanos.get());
  }

  /**
   * Closes the gate for an idle suspend, unless the primary is in use by then.
   *
   * @param onlyIfIdleMs the least idleness
   * @param settle waits for what must end before a suspend; the primary is used as ever meanwhile
   * @param look asks the primary what goes on in it
   * @return whether the gate is closed now
   */
  boolean closeIfIdle(long onlyIfIdleMs, Runnable settle, Supplier<Activity> look) {
    observe(look.get());
    if (idleMs() < onlyIfIdleMs) {
      return false;
    }
    settle.run();
    closed = true;
    boolean idle = false;
    try {
      observe(look.get());
      idle = idleMs() >= onlyIfIdleMs;
    } finally {
      closed = idle;
    }
    return idle;
  }
}
