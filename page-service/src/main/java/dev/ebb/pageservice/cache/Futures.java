package dev.ebb.pageservice.cache;

import dev.ebb.shared.error.EbbException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Waiting for what other threads do, on virtual threads. */
public final class Futures {
  private Futures() {}

  /** The result; what the future failed with is thrown as it is where it is an EbbException. */
  public static <T> T await(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      if (cause instanceof EbbException known) {
        throw known;
      }
      throw new IllegalStateException(cause);
    }
  }
}
