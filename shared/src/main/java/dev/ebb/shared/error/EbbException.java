package dev.ebb.shared.error;

import org.jspecify.annotations.Nullable;

/**
 * An error, by what the caller should do. Mapped once each to a bus reply ({@code BusCodec}), to an
 * SQLSTATE (gateway) and to an HTTP status (API). The message says what went wrong and what to do.
 */
public abstract sealed class EbbException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private EbbException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /** What the caller sent cannot be right: change it. */
  public static final class Invalid extends EbbException {
    private static final long serialVersionUID = 1L;

    public Invalid(String message) {
      super(message, null);
    }
  }

  /** What the caller named does not exist. */
  public static final class NotFound extends EbbException {
    private static final long serialVersionUID = 1L;

    public NotFound(String message) {
      super(message, null);
    }
  }

  /** It exists already, or somebody else changed it in between: look again. */
  public static final class Conflict extends EbbException {
    private static final long serialVersionUID = 1L;

    public Conflict(String message) {
      super(message, null);
    }
  }

  /** A newer generation took over: stop at once, never retry. */
  public static final class Fenced extends EbbException {
    private static final long serialVersionUID = 1L;

    public Fenced(String message) {
      super(message, null);
    }
  }

  /** Not possible just now (a service or its disk is away, or is too slow): retry later. */
  public static final class Unavailable extends EbbException {
    private static final long serialVersionUID = 1L;

    public Unavailable(String message) {
      super(message, null);
    }

    public Unavailable(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  /** No room for more: connections, computes, memory. */
  public static final class Exhausted extends EbbException {
    private static final long serialVersionUID = 1L;

    public Exhausted(String message) {
      super(message, null);
    }
  }

  /** Stored bytes are not what was written: never retry, tell the operator. */
  public static final class Corrupt extends EbbException {
    private static final long serialVersionUID = 1L;

    public Corrupt(String message) {
      super(message, null);
    }

    public Corrupt(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }
}
