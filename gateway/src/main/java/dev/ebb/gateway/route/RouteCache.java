package dev.ebb.gateway.route;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.PromiseInternal;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;

/**
 * A {@link BranchDirectory} for event loops: asks on virtual threads, and remembers for a second
 * what it found. What it did not find it asks again, so that a new database is there at once. For
 * any thread.
 */
public final class RouteCache implements AutoCloseable {
  private static final long FRESH_MS = Duration.ofSeconds(1).toMillis();
  private static final int MAX_CACHED = 10_000;

  /** Names that do not exist cost the store a read each: so many at a time. */
  private static final int MAX_CONCURRENT_READS = 32;

  private static final int MAX_QUEUED_READS = 4_000;

  private final Vertx vertx;
  private final BranchDirectory directory;
  private final Clock clock;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final Semaphore queued = new Semaphore(MAX_QUEUED_READS);
  private final Semaphore reading = new Semaphore(MAX_CONCURRENT_READS);
  private final Map<BranchAddress, Found> found = new ConcurrentHashMap<>();

  private record Found(Located located, long atMs) {}

  public RouteCache(Vertx vertx, BranchDirectory directory, Clock clock) {
    this.vertx = vertx;
    this.directory = directory;
    this.clock = clock;
  }

  /**
   * The branch, or empty where there is none; on the caller's context. For a client that {@link
   * #locate} has told to be welcome there.
   */
  public Future<Optional<BranchId>> find(BranchAddress address) {
    return locate(address).map(located -> located.flatMap(Located::branch));
  }

  /** The database and its branch, or empty where there is none; on the caller's context. */
  public Future<Optional<Located>> locate(BranchAddress address) {
    Found known = found.get(address);
    if (known != null && clock.millis() - known.atMs() < FRESH_MS) {
      return Future.succeededFuture(Optional.of(known.located()));
    }
    if (!queued.tryAcquire()) {
      return Future.failedFuture(
          new EbbException.Exhausted("too many connections ask for databases at once"));
    }
    PromiseInternal<Optional<Located>> answer =
        ((ContextInternal) vertx.getOrCreateContext()).promise();
    threads.execute(() -> ask(address, answer));
    return answer.future();
  }

  /** Forgets a branch that turned out to be gone. */
  public void forget(BranchAddress address) {
    found.remove(address);
  }

  private void ask(BranchAddress address, PromiseInternal<Optional<Located>> answer) {
    try {
      reading.acquireUninterruptibly();
      try {
        Optional<Located> located = directory.locate(address);
        if (located.isPresent() && hasBranch(located.get())) {
          remember(address, located.get());
        } else {
          forget(address);
        }
        answer.complete(located);
      } finally {
        reading.release();
      }
    } catch (RuntimeException e) {
      answer.fail(e);
    } finally {
      queued.release();
    }
  }

  /** What is not there, or not yet, may be there in a moment. */
  private static boolean hasBranch(Located located) {
    try {
      return located.branch().isPresent();
    } catch (UnfinishedException e) {
      return false;
    }
  }

  private void remember(BranchAddress address, Located located) {
    if (found.size() >= MAX_CACHED) {
      found.clear();
    }
    found.put(address, new Found(located, clock.millis()));
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
