package dev.ebb.pageservice.cache;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.function.Function;

/**
 * Ranges of immutable objects, compressed as they are stored, through all tiers. What several
 * threads miss at the same time is fetched once; neighbouring ranges of an object in one ranged
 * read. Blocking.
 */
public final class ChunkCache {
  /** Of one ranged read. */
  private static final int MAX_READ_BYTES = 8 << 20;

  private static final int ENTRY_OVERHEAD_BYTES = 160;

  private final ObjectStore store;
  private final SharedCache shared;
  private final ExecutorService threads;
  private final Cache<ChunkKey, byte[]> memory;
  private final ConcurrentHashMap<ChunkKey, CompletableFuture<byte[]>> loading =
      new ConcurrentHashMap<>();
  private final CacheMeters l1;
  private final CacheMeters l2;
  private final CacheMeters l3;
  private final SingleReads single;

  public ChunkCache(
      ObjectStore store,
      SharedCache shared,
      ExecutorService threads,
      long memoryBytes,
      MeterRegistry meters) {
    this.store = store;
    this.shared = shared;
    this.threads = threads;
    this.memory =
        Caffeine.newBuilder()
            .maximumWeight(memoryBytes)
            .weigher((ChunkKey key, byte[] chunk) -> chunk.length + ENTRY_OVERHEAD_BYTES)
            .executor(Runnable::run)
            .build();
    this.l1 = new CacheMeters(meters, "l1");
    this.l2 = new CacheMeters(meters, "l2");
    this.l3 = new CacheMeters(meters, "l3");
    this.single = new SingleReads(shared, meters);
    CacheMeters.size(
        meters,
        "l1",
        () -> memory.policy().eviction().map(e -> e.weightedSize().orElse(0)).orElse(0L));
    CacheMeters.size(meters, "l2", shared::bytes);
  }

  /** The chunks asked for. */
  public Map<ChunkKey, byte[]> get(Collection<ChunkKey> wanted) {
    Map<ChunkKey, byte[]> found = HashMap.newHashMap(wanted.size());
    Set<ChunkKey> missing = new LinkedHashSet<>();
    long bytes = 0;
    for (ChunkKey key : wanted) {
      byte[] chunk = memory.getIfPresent(key);
      if (chunk == null) {
        missing.add(key);
      } else if (found.put(key, chunk) == null) {
        bytes += chunk.length;
      }
    }
    l1.answered(found.size(), missing.size(), bytes);
    if (!missing.isEmpty()) {
      load(missing, found);
    }
    return found;
  }

  /** Fetches what nobody fetches already, then waits for the rest. */
  private void load(Set<ChunkKey> missing, Map<ChunkKey, byte[]> found) {
    Map<ChunkKey, CompletableFuture<byte[]>> others = new HashMap<>();
    Map<ChunkKey, CompletableFuture<byte[]>> mine = new HashMap<>();
    for (ChunkKey key : missing) {
      var own = new CompletableFuture<byte[]>();
      CompletableFuture<byte[]> first = loading.putIfAbsent(key, own);
      if (first == null) {
        mine.put(key, own);
      } else {
        others.put(key, first);
      }
    }
    if (!mine.isEmpty()) {
      loadMine(mine, found);
    }
    others.forEach((key, chunk) -> found.put(key, Futures.await(chunk)));
  }

  private void loadMine(
      Map<ChunkKey, CompletableFuture<byte[]>> mine, Map<ChunkKey, byte[]> found) {
    try {
      // Between the look into the memory and the claim another's load may have ended.
      Map<ChunkKey, byte[]> fetched = new HashMap<>(memory.getAllPresent(mine.keySet()));
      Set<ChunkKey> missing = new LinkedHashSet<>(mine.keySet());
      missing.removeAll(fetched.keySet());
      if (!missing.isEmpty()) {
        Map<ChunkKey, byte[]> loaded = fetch(missing);
        memory.putAll(loaded);
        fetched.putAll(loaded);
      }
      fetched.forEach((key, chunk) -> own(mine, key).complete(chunk));
      found.putAll(fetched);
    } catch (RuntimeException | Error e) {
      mine.values().forEach(chunk -> chunk.completeExceptionally(e)); // and nothing is cached
      throw e;
    } finally {
      mine.forEach(loading::remove);
    }
  }

  private static CompletableFuture<byte[]> own(
      Map<ChunkKey, CompletableFuture<byte[]>> mine, ChunkKey key) {
    CompletableFuture<byte[]> future = mine.get(key);
    if (future == null) {
      throw new IllegalStateException("nobody asked for " + key);
    }
    return future;
  }

  /**
   * Reads what turned out to be damaged from the store, past all caches, which forget what they
   * have of it. Where the store's is right, all caches get it; else none has it.
   *
   * @param decode makes something of the store's bytes; {@code Corrupt} where they are wrong, too
   */
  public <T> T reread(Collection<ChunkKey> wanted, Function<Map<ChunkKey, byte[]>, T> decode) {
    for (ChunkKey key : wanted) {
      memory.invalidate(key);
      shared.remove(key);
    }
    Map<ChunkKey, byte[]> fresh = fetchFromStore(wanted);
    T decoded = decode.apply(fresh);
    memory.putAll(fresh);
    if (shared.isPresent()) {
      shared.put(fresh);
    }
    return decoded;
  }

  /** Reads ranges from the store past all caches, which stay as they are. */
  public Map<ChunkKey, byte[]> readPast(Collection<ChunkKey> wanted) {
    return fetchFromStore(wanted);
  }

  private Map<ChunkKey, byte[]> fetch(Set<ChunkKey> missing) {
    Map<ChunkKey, byte[]> found = new HashMap<>();
    if (shared.isPresent()) {
      Timer.Sample sample = Timer.start();
      found.putAll(shared.get(List.copyOf(missing)));
      sample.stop(l2.latency());
      // a chunk of the wrong size is nothing that was put there
      found.entrySet().removeIf(e -> e.getValue().length != e.getKey().length());
      l2.answered(found.size(), missing.size() - found.size(), totalBytes(found));
    }
    Set<ChunkKey> rest = new LinkedHashSet<>(missing);
    rest.removeAll(found.keySet());
    if (rest.isEmpty()) {
      return found;
    }
    if (shared.isPresent()) {
      found.putAll(
          single.read(rest, (key, chunk) -> chunk.length == key.length(), this::fetchFromStore));
    } else {
      found.putAll(fetchFromStore(rest));
    }
    return found;
  }

  /** Neighbouring chunks of one object. */
  private record Stretch(List<ChunkKey> keys) {
    ChunkKey first() {
      return keys.getFirst();
    }

    int length() {
      return (int) (keys.getLast().end() - first().offset());
    }

    boolean takes(ChunkKey key) {
      return first().object().equals(key.object())
          && keys.getLast().end() == key.offset()
          && key.end() - first().offset() <= MAX_READ_BYTES;
    }
  }

  private Map<ChunkKey, byte[]> fetchFromStore(Collection<ChunkKey> wanted) {
    Timer.Sample sample = Timer.start();
    List<Stretch> stretches = stretches(wanted);
    Map<ChunkKey, byte[]> found = HashMap.newHashMap(wanted.size());
    if (stretches.size() == 1) {
      found.putAll(read(stretches.getFirst()));
    } else {
      List<CompletableFuture<Map<ChunkKey, byte[]>>> reads = new ArrayList<>();
      for (Stretch stretch : stretches) {
        reads.add(CompletableFuture.supplyAsync(() -> read(stretch), threads));
      }
      reads.forEach(read -> found.putAll(Futures.await(read)));
    }
    sample.stop(l3.latency());
    l3.answered(found.size(), 0, totalBytes(found));
    return found;
  }

  private static List<Stretch> stretches(Collection<ChunkKey> wanted) {
    List<ChunkKey> sorted = new ArrayList<>(wanted);
    sorted.sort(Comparator.comparing(ChunkKey::object).thenComparingLong(ChunkKey::offset));
    List<Stretch> stretches = new ArrayList<>();
    for (ChunkKey key : sorted) {
      if (stretches.isEmpty() || !stretches.getLast().takes(key)) {
        stretches.add(new Stretch(new ArrayList<>()));
      }
      stretches.getLast().keys().add(key);
    }
    return stretches;
  }

  private Map<ChunkKey, byte[]> read(Stretch stretch) {
    ChunkKey first = stretch.first();
    byte[] bytes;
    try {
      bytes =
          store
              .getRange(first.object(), first.offset(), stretch.length())
              .orElseThrow(
                  () -> new EbbException.Corrupt(first.object() + " is missing from the store"));
    } catch (EbbException.Corrupt e) {
      throw new EbbException.Corrupt("object " + first.object() + ": " + e.getMessage(), e);
    }
    Map<ChunkKey, byte[]> chunks = HashMap.newHashMap(stretch.keys().size());
    for (ChunkKey key : stretch.keys()) {
      int from = (int) (key.offset() - first.offset());
      chunks.put(key, Arrays.copyOfRange(bytes, from, from + key.length()));
    }
    return chunks;
  }

  private static long totalBytes(Map<ChunkKey, byte[]> chunks) {
    long bytes = 0;
    for (byte[] chunk : chunks.values()) {
      bytes += chunk.length;
    }
    return bytes;
  }
}
