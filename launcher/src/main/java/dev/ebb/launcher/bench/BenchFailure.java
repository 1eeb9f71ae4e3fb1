package dev.ebb.launcher.bench;

import org.jspecify.annotations.Nullable;

/** A bench cannot go on; the message says why and what to do. */
final class BenchFailure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  BenchFailure(String message) {
    super(message);
  }

  BenchFailure(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
