package dev.ebb.launcher.up;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Steps side by side, each on a thread of its own; a failure of one is the failure of all. */
final class Tasks {
  private Tasks() {}

  /** Does all of them; returns when the last is done, throws what the first one failed with. */
  static void together(List<Callable<?>> steps) throws Exception {
    List<Future<?>> running = new ArrayList<>();
    Exception failure = null;
    // Platform threads: the broker and Hazelcast block in synchronized code.
    try (ExecutorService threads = Executors.newFixedThreadPool(steps.size())) {
      for (Callable<?> step : steps) {
        running.add(threads.submit(step));
      }
      for (Future<?> step : running) {
        try {
          step.get();
        } catch (ExecutionException e) {
          Exception cause = e.getCause() instanceof Exception known ? known : e;
          if (failure == null) {
            failure = cause;
          } else {
            failure.addSuppressed(cause);
          }
        } catch (InterruptedException e) {
          threads.shutdownNow();
          Thread.currentThread().interrupt();
          failure = new StartException("interrupted", e);
          break;
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
