package dev.ebb.gateway.auth;

import java.time.Clock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Makes failed logins wait before they are told, longer the more of them an address had lately. A
 * right password never waits, and no more than {@link #MAX_WAITING} failures wait at a time: beyond
 * that they are told at once, so that a flood of them holds no connections. For any thread.
 */
public final class LoginThrottle {
  static final int MAX_WAITING = 256;
  private static final long FIRST_DELAY_MS = 10;
  private static final long MAX_DELAY_MS = 100;
  private static final int FAILURES_PER_DOUBLING = 10;
  private static final int MAX_ADDRESSES = 10_000;
  private static final long FORGET_MS = Duration.ofMinutes(1).toMillis();

  private final Clock clock;
  private int waiting;
  private final Map<String, Failures> byAddress =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Failures> eldest) {
          return size() > MAX_ADDRESSES;
        }
      };

  private record Failures(int count, long lastMs) {}

  public LoginThrottle(Clock clock) {
    this.clock = clock;
  }

  /**
   * Counts a failure.
   *
   * @return how long to wait, in ms; where positive, {@link #waited} must follow
   */
  public synchronized long failed(String address) {
    long now = clock.millis();
    Failures before = byAddress.get(address);
    int count = before == null || now - before.lastMs() > FORGET_MS ? 1 : before.count() + 1;
    byAddress.put(address, new Failures(count, now));
    if (waiting >= MAX_WAITING) {
      return 0;
    }
    waiting++;
    int doublings = Math.min(count / FAILURES_PER_DOUBLING, 16);
    return Math.min(FIRST_DELAY_MS << doublings, MAX_DELAY_MS);
  }

  /** A wait is over. */
  public synchronized void waited() {
    waiting--;
  }
}
