package dev.ebb.computeservice.replicas;

import java.util.concurrent.TimeUnit;

/**
 * How soon the missing replicas of a branch may be started. The first time at once; where starts
 * fail, or what was started is missing again before it has lived for a while, the pauses grow. Not
 * thread-safe.
 */
final class StartPace {
  /** The first pause; doubled with each that follows. */
  private static final long FIRST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  private static final int MAX_DOUBLINGS = 6;

  /** Who starts again only after so long has lived; above the longest pause. */
  private static final long LIVED_NANOS = TimeUnit.SECONDS.toNanos(90);

  /** Since one has lived for a while: starts that failed, and starts behind one that did not. */
  private int setbacks;

  private boolean hasStarted;
  private long startedAtNanos;
  private boolean pausing;
  private long notBeforeNanos;

  /** Whether it may be tried now. */
  boolean mayStart(long nowNanos) {
    return !pausing || nowNanos - notBeforeNanos >= 0;
  }

  /** What was missing has been started. */
  void started(long nowNanos) {
    if (hasStarted && nowNanos - startedAtNanos < LIVED_NANOS) {
      pause(nowNanos);
    } else {
      setbacks = 0;
      pausing = false;
    }
    hasStarted = true;
    startedAtNanos = nowNanos;
  }

  /** It could not be done. */
  void failed(long nowNanos) {
    pause(nowNanos);
  }

  private void pause(long nowNanos) {
    notBeforeNanos = nowNanos + (FIRST_PAUSE_NANOS << Math.min(setbacks++, MAX_DOUBLINGS));
    pausing = true;
  }
}
