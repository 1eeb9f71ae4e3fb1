package dev.ebb.launcher.durability;

import java.util.BitSet;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What one writer knows of its own writes, numbered from 0: which were tried, which were
 * acknowledged, and, of those that somebody has looked at since, which are there. A write that was
 * tried and not acknowledged may be there or not; once looked at it may not change any more.
 *
 * <p>Used by one thread at a time, unless said otherwise.
 */
final class Ledger {
  private final String name;
  private final BitSet acknowledged = new BitSet();
  private final BitSet settled = new BitSet();
  private final AtomicInteger count = new AtomicInteger();
  private int tried;
  private int settledTo;

  Ledger(String name) {
    this.name = name;
  }

  /** The number of a write that is about to be tried. */
  int next() {
    return tried++;
  }

  /** The server said that it is committed. */
  void acknowledge(int number) {
    acknowledged.set(number);
    count.incrementAndGet();
  }

  /** How many were acknowledged while they were tried; any thread may ask. */
  int acknowledged() {
    return count.get();
  }

  int tried() {
    return tried;
  }

  /** The last number that is known to be there; -1: none is. */
  int lastAcknowledged() {
    return acknowledged.length() - 1;
  }

  /**
   * Compares with what is there.
   *
   * @return how many writes were in doubt until now
   */
  int settle(BitSet present) {
    BitSet lost = (BitSet) acknowledged.clone();
    lost.andNot(present);
    if (!lost.isEmpty()) {
      throw new AssertionError(name + ": acknowledged, but lost: " + lost + " of " + tried);
    }
    if (present.length() > tried) {
      throw new AssertionError(name + ": never written: " + (present.length() - 1));
    }
    BitSet changed = present.get(0, settledTo);
    changed.xor(settled);
    if (!changed.isEmpty()) {
      throw new AssertionError(name + ": came or went since the last look: " + changed);
    }
    int inDoubt = tried - settledTo - acknowledged.get(settledTo, tried).cardinality();
    settled.clear();
    settled.or(present);
    settledTo = tried;
    acknowledged.or(present);
    return inDoubt;
  }
}
