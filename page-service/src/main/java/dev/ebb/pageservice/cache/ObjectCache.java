package dev.ebb.pageservice.cache;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.ebb.pageservice.pack.Weighed;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What was made of whole immutable objects (manifests, indexes, boot packs), by key. What several
 * threads miss at the same time is made once. Blocking.
 */
public final class ObjectCache {
  private final Cache<String, Weighed> memory;
  private final ConcurrentHashMap<String, CompletableFuture<Weighed>> making =
      new ConcurrentHashMap<>();

  public ObjectCache(long memoryBytes) {
    memory =
        Caffeine.newBuilder()
            .maximumWeight(memoryBytes)
            .weigher((String key, Weighed value) -> value.weight())
            .executor(Runnable::run)
            .build();
  }

  /** What is cached under the key, of {@code type}; else what {@code make} returns. */
  public <V extends Weighed> V get(String key, Class<V> type, Supplier<V> make) {
    V present = ifPresent(key, type);
    if (present != null) {
      return present;
    }
    var mine = new CompletableFuture<Weighed>();
    CompletableFuture<Weighed> others = making.putIfAbsent(key, mine);
    if (others != null) {
      return type.cast(Futures.await(others));
    }
    try {
      V made = make.get();
      memory.put(key, made);
      mine.complete(made);
      return made;
    } catch (RuntimeException | Error e) {
      mine.completeExceptionally(e); // and nothing stays in the cache
      throw e;
    } finally {
      making.remove(key, mine);
    }
  }

  /** What is cached under the key, of {@code type}, or null. */
  public <V extends Weighed> @Nullable V ifPresent(String key, Class<V> type) {
    Weighed value = memory.getIfPresent(key);
    return value == null ? null : type.cast(value);
  }

  public void put(String key, Weighed value) {
    memory.put(key, value);
  }
}
