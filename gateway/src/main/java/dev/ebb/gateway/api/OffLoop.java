package dev.ebb.gateway.api;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.PromiseInternal;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;

/** Runs what blocks on virtual threads, so many at a time. */
final class OffLoop implements AutoCloseable {
  private static final int MAX_CONCURRENT = 32;

  private final Vertx vertx;
  private final Semaphore running = new Semaphore(MAX_CONCURRENT);
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

  OffLoop(Vertx vertx) {
    this.vertx = vertx;
  }

  /** The result, on the caller's context. */
  <T> Future<T> call(Callable<T> work) {
    PromiseInternal<T> done = ((ContextInternal) vertx.getOrCreateContext()).promise();
    threads.execute(() -> {
      running.acquireUninterruptibly();
      try {
        done.complete(work.call());
      } catch (Exception e) {
        done.fail(e);
      } finally {
        running.release();
      }
    });
    return done.future();
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
