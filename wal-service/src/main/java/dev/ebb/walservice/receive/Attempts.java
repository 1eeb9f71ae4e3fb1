package dev.ebb.walservice.receive;

import dev.ebb.shared.error.EbbException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What became of the attempts to stream from one primary: how long to pause, when to tell the
 * operator, when to give up. Pure: times are handed in, in the nanoseconds of any one clock. For
 * one thread.
 *
 * <p>A primary is given up where the hosts announce a later generation, or where for {@code
 * goneAfter} nothing came of any attempt and no host announces it either. One that turns out to
 * live all the same asks how far its log is, is told that nobody receives it, and opens the log
 * again.
 */
final class Attempts {
  /** An established stream that lasted for so long ends the trouble before it. */
  private static final long LASTED_NANOS = Duration.ofSeconds(1).toNanos();

  /** A primary that stops ends its stream, too: only what lasts is worth a line. */
  private static final long TELL_AFTER_NANOS = Duration.ofSeconds(1).toNanos();

  private static final long FIRST_PAUSE_MS = 2;
  private static final long MAX_PAUSE_MS = 2_000;

  /** A line for the log, at a change of state. */
  enum News {
    NONE,
    LOST,
    BACK
  }

  private final long goneAfterNanos;
  private final Backoff pauses = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS);
  private boolean troubled;
  private long troubledSince;
  private boolean failing;
  private long failingSince;
  private long connectedAt;
  private boolean connected;
  private boolean told;
  private boolean toldBack;

  Attempts(Duration goneAfter) {
    this.goneAfterNanos = goneAfter.toNanos();
  }

  /** A stream was established. */
  News established(long now) {
    connected = true;
    connectedAt = now;
    failing = false;
    if (told && !toldBack) {
      toldBack = true;
      return News.BACK;
    }
    return News.NONE;
  }

  /** The attempt is over: no stream came of it, or the one that did has ended. */
  News ended(long now) {
    if (connected && now - connectedAt >= LASTED_NANOS) {
      troubled = false;
      told = false;
      toldBack = false;
      pauses.reset();
    }
    connected = false;
    if (!failing) {
      failing = true;
      failingSince = now;
    }
    if (!troubled) {
      troubled = true;
      troubledSince = now;
    }
    if (!told && now - troubledSince >= TELL_AFTER_NANOS) {
      told = true;
      return News.LOST;
    }
    return News.NONE;
  }

  long pauseMs() {
    return pauses.nextMs();
  }

  /** Why not to try again; null where it is worth another attempt. Of an attempt that ended. */
  @Nullable EbbException giveUp(long now, Sighting sighting) {
    return switch (sighting) {
      case ANNOUNCED -> null;
      case REPLACED ->
          new EbbException.Fenced("a later generation runs, and its own primary is gone");
      case ABSENT ->
          now - failingSince < goneAfterNanos
              ? null
              : new EbbException.Unavailable(
                  "its primary could not be reached for "
                      + Duration.ofNanos(now - failingSince).toSeconds()
                      + " s, and no host announces it");
    };
  }
}
