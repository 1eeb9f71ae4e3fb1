package dev.ebb.computeservice.lifecycle;

import java.util.concurrent.TimeUnit;

/**
 * Whether a compute hangs: as told by the session that is open to it, and by new ones, which need
 * its postmaster as well. For one thread.
 */
final class Vitals {
  /** One that answers nobody, or lets nobody in, for so long hangs. */
  private static final long MUTE_NANOS = TimeUnit.SECONDS.toNanos(20);

  /** On a machine that stood still, all that was waited for seems late; but not twice. */
  private static final int LEAST_FAILURES = 2;

  private static final long MEET_EVERY_NANOS = TimeUnit.SECONDS.toNanos(5);

  private long answeredAtNanos;
  private long metAtNanos;
  private int failures;

  Vitals(long nowNanos) {
    answeredAtNanos = nowNanos;
    metAtNanos = nowNanos;
  }

  /** The open session has answered. */
  void answered(long nowNanos) {
    answeredAtNanos = nowNanos;
  }

  /** Whether it is time to see if it lets somebody in. */
  boolean isToBeMet(long nowNanos) {
    return nowNanos - metAtNanos >= MEET_EVERY_NANOS;
  }

  /** It has let somebody in. */
  void met(long nowNanos) {
    metAtNanos = nowNanos;
  }

  /** All that was asked of it this time it has done. */
  void well() {
    failures = 0;
  }

  /** Something failed, perhaps for a reason that is not its own; returns whether it hangs. */
  boolean failed(long nowNanos) {
    failures++;
    return failures >= LEAST_FAILURES
        && (nowNanos - answeredAtNanos >= MUTE_NANOS || nowNanos - metAtNanos >= MUTE_NANOS);
  }
}
