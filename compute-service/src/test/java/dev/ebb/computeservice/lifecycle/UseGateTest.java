package dev.ebb.computeservice.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.sql.Activity;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class UseGateTest {
  private static final long IDLE_MS = 60_000;

  private final AtomicLong nanos = new AtomicLong(-5_000_000_000L);
  private final UseGate gate = new UseGate(nanos::get);

  private void pass(long ms) {
    nanos.addAndGet(Duration.ofMillis(ms).toNanos());
  }

  private static Activity quiet(long sessionsEver) {
    return new Activity(0, 0, 0, 0, sessionsEver, 0, Long.MAX_VALUE, Lsn.INVALID);
  }

  @Test
  void primaryThatNothingUsedForLongEnoughIsClosed() {
    pass(IDLE_MS);
    assertThat(gate.closeIfIdle(IDLE_MS, () -> {}, () -> quiet(0))).isTrue();
    assertThat(gate.use()).as("a wake must wait for the outcome").isFalse();
  }

  @Test
  void primaryInUseIsNotEvenWaitedFor() {
    pass(IDLE_MS - 1);
    var waited = new AtomicBoolean();
    assertThat(gate.closeIfIdle(IDLE_MS, () -> waited.set(true), () -> quiet(0))).isFalse();
    assertThat(waited).isFalse();
    assertThat(gate.use()).isTrue();
  }

  @Test
  void sessionThatComesWhileTheSuspendWaitsForACaptureKeepsThePrimary() {
    pass(IDLE_MS);
    var sessions = new AtomicLong();
    assertThat(gate.closeIfIdle(IDLE_MS, sessions::incrementAndGet, () -> quiet(sessions.get())))
        .isFalse();
    assertThat(gate.use()).isTrue();
    assertThat(gate.idleMs()).isZero();
  }

  @Test
  void wakeWhileTheSuspendWaitsForACaptureIsAnsweredAtOnceAndKeepsThePrimary() {
    pass(IDLE_MS);
    var answered = new AtomicBoolean();
    assertThat(gate.closeIfIdle(IDLE_MS, () -> answered.set(gate.use()), () -> quiet(0))).isFalse();
    assertThat(answered).isTrue();
  }

  @Test
  void wakeThatMeetsTheLastLookWaitsAndFindsThePrimaryRunning() {
    pass(IDLE_MS);
    var looks = new AtomicInteger();
    var answered = new AtomicBoolean(true);
    assertThat(
            gate.closeIfIdle(
                IDLE_MS,
                () -> {},
                () -> {
                  if (looks.incrementAndGet() == 2) {
                    answered.set(gate.use());
                  }
                  return quiet(0);
                }))
        .isFalse();
    assertThat(answered).as("told to wait, since the suspend could have gone on").isFalse();
    assertThat(gate.use()).isTrue();
  }

  @Test
  void suspendThatCannotLookLeavesTheGateOpen() {
    pass(IDLE_MS);
    var looks = new AtomicInteger();
    assertThatThrownBy(() ->
            gate.closeIfIdle(
                IDLE_MS,
                () -> {},
                () -> {
                  if (looks.incrementAndGet() == 2) {
                    throw new EbbException.Unavailable("the compute did not answer");
                  }
                  return quiet(0);
                }))
        .isInstanceOf(EbbException.Unavailable.class);
    assertThat(gate.use()).isTrue();
  }

  @Test
  void idlenessIsCountedFromTheNewestUse() {
    gate.observe(new Activity(1, 0, 0, 0, 1, 0, 40_000, Lsn.INVALID));
    pass(50_000);
    gate.observe(new Activity(1, 0, 0, 0, 1, 0, 20_000, Lsn.INVALID));
    assertThat(gate.idleMs()).isEqualTo(20_000);
    gate.observe(new Activity(1, 0, 0, 1, 1, 0, 20_000, Lsn.INVALID));
    assertThat(gate.idleMs()).as("a replication connection is use").isZero();
  }
}
