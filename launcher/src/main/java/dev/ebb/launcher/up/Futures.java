package dev.ebb.launcher.up;

import io.vertx.core.Future;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Waiting for Vert.x from threads that are not its own. */
final class Futures {
  private Futures() {}

  /**
   * The future's result.
   *
   * @throws Exception what the future failed with
   * @throws TimeoutException if it is not complete in time; it goes on
   */
  static <T> T await(Future<T> future, Duration bound) throws Exception {
    try {
      return future
          .toCompletionStage()
          .toCompletableFuture()
          .get(bound.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception cause) {
        throw cause;
      }
      throw e;
    } catch (TimeoutException e) {
      throw new TimeoutException("not done within " + bound.toSeconds() + " s");
    }
  }
}
