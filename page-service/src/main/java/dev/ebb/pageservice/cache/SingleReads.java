package dev.ebb.pageservice.cache;

import dev.ebb.shared.error.EbbException;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BiPredicate;
import java.util.function.Function;

/**
 * Has one instance of the cluster read from the store what several miss at the same time: the one
 * that claims it. The others wait until it is in the shared cache, for as long as the claim holds
 * and no longer than {@link #MAX_WAIT_MS}; then they read it themselves. Blocking.
 */
final class SingleReads {
  private static final long MAX_WAIT_MS = 2_000;
  private static final long FIRST_PAUSE_MS = 2;
  private static final long MAX_PAUSE_MS = 25;

  private final SharedCache shared;
  private final Counter waited;

  SingleReads(SharedCache shared, MeterRegistry meters) {
    this.shared = shared;
    this.waited =
        Counter.builder("ebb.page.cache.waits")
            .description("Chunks that another instance read from the store at that moment")
            .register(meters);
  }

  /**
   * The chunks, of which the shared cache had none just now.
   *
   * @param right whether bytes can be those of the chunk
   * @param store reads from the store
   */
  Map<ChunkKey, byte[]> read(
      Collection<ChunkKey> wanted,
      BiPredicate<ChunkKey, byte[]> right,
      Function<Set<ChunkKey>, Map<ChunkKey, byte[]>> store) {
    Map<ChunkKey, byte[]> found = HashMap.newHashMap(wanted.size());
    Set<ChunkKey> left = new LinkedHashSet<>(wanted);
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(MAX_WAIT_MS);
    for (long pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      boolean late = System.nanoTime() - deadline > 0;
      Set<ChunkKey> mine = late ? Set.copyOf(left) : shared.claim(left);
      if (!mine.isEmpty()) {
        found.putAll(readMine(mine, right, store, !late));
        left.removeAll(mine);
      }
      if (left.isEmpty()) {
        return found;
      }
      pause(pauseMs);
      Map<ChunkKey, byte[]> others = lookUp(left, right);
      waited.increment(others.size());
      found.putAll(others);
      left.removeAll(others.keySet());
      if (left.isEmpty()) {
        return found;
      }
    }
  }

  private Map<ChunkKey, byte[]> lookUp(Set<ChunkKey> keys, BiPredicate<ChunkKey, byte[]> right) {
    Map<ChunkKey, byte[]> found = new HashMap<>(shared.get(keys));
    found.entrySet().removeIf(chunk -> !right.test(chunk.getKey(), chunk.getValue()));
    return found;
  }

  private Map<ChunkKey, byte[]> readMine(
      Set<ChunkKey> mine,
      BiPredicate<ChunkKey, byte[]> right,
      Function<Set<ChunkKey>, Map<ChunkKey, byte[]>> store,
      boolean lookAgain) {
    try {
      // Between the look that found nothing and the claim another's read may have ended.
      Map<ChunkKey, byte[]> found = lookAgain ? lookUp(mine, right) : new HashMap<>();
      if (!found.isEmpty()) {
        shared.release(found.keySet());
      }
      Set<ChunkKey> rest = new LinkedHashSet<>(mine);
      rest.removeAll(found.keySet());
      if (!rest.isEmpty()) {
        Map<ChunkKey, byte[]> fresh = store.apply(rest);
        shared.put(fresh);
        found.putAll(fresh);
      }
      return found;
    } catch (RuntimeException | Error e) {
      shared.release(mine);
      throw e;
    }
  }

  private static void pause(long ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EbbException.Unavailable("interrupted", e);
    }
  }
}
