package dev.ebb.shared.bus;

import dev.ebb.shared.error.EbbException;
import io.vertx.core.Future;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The bus for code on virtual threads, which waits for its answers. Never call it from an event
 * loop.
 */
public final class BlockingBus {
  /** Beyond the bus's own timeout, so that the bus gives up first and says why. */
  private static final long GRACE_MS = 1_000;

  private final Bus bus;

  public BlockingBus(Bus bus) {
    this.bus = bus;
  }

  public Bus bus() {
    return bus;
  }

  /** Sends a request and waits for its answer, at most {@code timeoutMs}. */
  public <R extends BusMessage> R call(String address, Request<R> request, long timeoutMs) {
    return await(bus.request(address, request, timeoutMs), timeoutMs + GRACE_MS);
  }

  /**
   * Waits for a future, at most {@code timeoutMs}. Its failure is thrown as it is where it is an
   * {@link EbbException}, else as {@code Unavailable}.
   */
  public static <T> T await(Future<T> future, long timeoutMs) {
    try {
      return future.toCompletionStage().toCompletableFuture().get(timeoutMs, TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      if (cause instanceof EbbException known) {
        throw known;
      }
      throw new EbbException.Unavailable(String.valueOf(cause.getMessage()), cause);
    } catch (TimeoutException e) {
      throw new EbbException.Unavailable("no answer within " + timeoutMs + " ms", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EbbException.Unavailable("interrupted while waiting", e);
    }
  }
}
