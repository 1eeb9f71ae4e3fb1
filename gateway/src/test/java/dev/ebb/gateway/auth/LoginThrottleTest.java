package dev.ebb.gateway.auth;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import org.junit.jupiter.api.Test;

class LoginThrottleTest {
  private final LoginThrottle throttle = new LoginThrottle(Clock.systemUTC());

  @Test
  void failuresOfOneAddressWaitLongerAndLongerUpToABound() {
    long first = throttle.failed("a");
    long last = first;
    for (int i = 0; i < 200; i++) {
      last = throttle.failed("a");
    }
    assertThat(first).isPositive();
    assertThat(last).isGreaterThan(first).isLessThanOrEqualTo(100);
    assertThat(throttle.failed("b")).isEqualTo(first);
  }

  @Test
  void floodIsToldAtOnce() {
    for (int i = 0; i < LoginThrottle.MAX_WAITING; i++) {
      assertThat(throttle.failed("a")).isPositive();
    }
    assertThat(throttle.failed("a")).isZero();
    throttle.waited();
    assertThat(throttle.failed("a")).isPositive();
  }
}
