package dev.ebb.gateway.limit;

/** Too much of something in too short a time. The message is for the client. */
public final class LimitException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  LimitException(String message) {
    super(message, null, false, false);
  }
}
