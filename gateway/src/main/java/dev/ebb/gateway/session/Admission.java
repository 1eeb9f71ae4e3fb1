package dev.ebb.gateway.session;

import java.util.concurrent.atomic.AtomicInteger;

/** Counts the connections that are not authenticated yet. For any thread. */
public final class Admission {
  private final int max;
  private final AtomicInteger entered = new AtomicInteger();

  /** How a new connection is treated. */
  enum Verdict {
    /** It may log in. */
    WELCOME,
    /** It is told that there are too many. */
    REFUSED,
    /** There are too many even to tell it. */
    DROPPED
  }

  public Admission(int max) {
    this.max = max;
  }

  /** A connection arrives; {@link #leave} must follow once, whatever the verdict. */
  Verdict enter() {
    int count = entered.incrementAndGet();
    return count <= max ? Verdict.WELCOME : count <= 2L * max ? Verdict.REFUSED : Verdict.DROPPED;
  }

  void leave() {
    entered.decrementAndGet();
  }

  public int count() {
    return entered.get();
  }
}
