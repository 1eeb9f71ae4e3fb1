package dev.ebb.gateway.limit;

import java.time.Duration;

/**
 * So many in a time: that many at once, and as many again spread over that time.
 *
 * @param count 0 for no limit
 */
public record Rate(int count, Duration per) {
  /** No limit. */
  public static final Rate UNLIMITED = new Rate(0, Duration.ofSeconds(1));

  public Rate {
    if (count < 0 || !per.isPositive()) {
      throw new IllegalArgumentException("a rate is a number of things in a time: " + count);
    }
  }

  /** A rate for each second. */
  public static Rate perSecond(int count) {
    return new Rate(count, Duration.ofSeconds(1));
  }

  /** A rate for each minute. */
  public static Rate perMinute(int count) {
    return new Rate(count, Duration.ofMinutes(1));
  }

  boolean isUnlimited() {
    return count == 0;
  }

  double perNano() {
    return (double) count / per.toNanos();
  }
}
