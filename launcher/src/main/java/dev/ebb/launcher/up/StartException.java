package dev.ebb.launcher.up;

import org.jspecify.annotations.Nullable;

/** Ebb cannot start; the message, one line, says why and what to do. */
public final class StartException extends Exception {
  private static final long serialVersionUID = 1L;

  StartException(String message) {
    super(message);
  }

  StartException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
