package dev.ebb.pageservice.cache;

import com.hazelcast.config.EvictionConfig;
import com.hazelcast.config.EvictionPolicy;
import com.hazelcast.config.MapConfig;
import com.hazelcast.config.MaxSizePolicy;
import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.map.IMap;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The second tier in a Hazelcast map, spread over the members and without backups: an entry that a
 * member takes with it costs one read of the store. Where the map fails or takes longer than its
 * timeout it is left alone for {@link #PAUSE_MS}.
 *
 * <p>Beside it is a map of claims: who reads which chunk just now. A claim ends with the put of the
 * chunk, or by itself after {@link #CLAIM_MS}, so that nobody waits for a member that died.
 */
public final class HazelcastCache implements SharedCache {
  private static final Logger log = LoggerFactory.getLogger(HazelcastCache.class);
  private static final String MAP = "ebb-page-chunks";
  private static final String CLAIMS = "ebb-page-claims";
  private static final long PAUSE_MS = 5_000;
  private static final long CLAIM_MS = 5_000;
  private static final int MAX_WAITING = 64;

  private final HazelcastInstance hazelcast;
  private final ExecutorService threads;
  private final Clock clock;
  private final long timeoutMs;
  private final String self = UUID.randomUUID().toString();
  private final Semaphore room = new Semaphore(MAX_WAITING);
  private final AtomicLong pausedUntilMs = new AtomicLong();

  /** The last change of a chunk that is on its way: the next one follows it. */
  private final ConcurrentHashMap<ChunkKey, CompletableFuture<?>> changes =
      new ConcurrentHashMap<>();

  /**
   * @param mebibytesPerMember how much of each member's heap the map may take
   * @param timeoutMs what a read of it may take
   */
  public HazelcastCache(
      HazelcastInstance hazelcast,
      ExecutorService threads,
      Clock clock,
      int mebibytesPerMember,
      long timeoutMs) {
    this.hazelcast = hazelcast;
    this.threads = threads;
    this.clock = clock;
    this.timeoutMs = timeoutMs;
    configure(
        unsaved(MAP)
            .setEvictionConfig(
                new EvictionConfig()
                    .setEvictionPolicy(EvictionPolicy.LRU)
                    .setMaxSizePolicy(MaxSizePolicy.USED_HEAP_SIZE)
                    .setSize(mebibytesPerMember)));
    configure(unsaved(CLAIMS));
  }

  private static MapConfig unsaved(String name) {
    return new MapConfig(name)
        .setBackupCount(0)
        .setAsyncBackupCount(0)
        .setTimeToLiveSeconds(0)
        .setMaxIdleSeconds(0);
  }

  private void configure(MapConfig config) {
    try {
      hazelcast.getConfig().addMapConfig(config);
    } catch (RuntimeException e) {
      log.warn("{} keeps the configuration that it has: {}", config.getName(), e.toString());
    }
  }

  @Override
  public Map<ChunkKey, byte[]> get(Collection<ChunkKey> keys) {
    Map<String, byte[]> values = bounded(() -> map().getAll(names(keys)), Map.of());
    Map<ChunkKey, byte[]> found = HashMap.newHashMap(values.size());
    for (ChunkKey key : keys) {
      byte[] value = values.get(key.text());
      if (value != null) {
        found.put(key, value);
      }
    }
    return found;
  }

  @Override
  public Set<ChunkKey> claim(Collection<ChunkKey> keys) {
    Set<ChunkKey> all = Set.copyOf(keys);
    if (isAlone()) {
      return all;
    }
    Map<String, Boolean> answers =
        bounded(() -> claims().executeOnKeys(names(keys), new Claim(self, CLAIM_MS)), Map.of());
    Set<ChunkKey> mine = new HashSet<>(all);
    mine.removeIf(key -> Boolean.FALSE.equals(answers.get(key.text())));
    return mine;
  }

  @Override
  public void release(Collection<ChunkKey> keys) {
    if (isAlone() || isPaused()) {
      return; // they run out
    }
    var _ = watched(() -> claims().submitToKeys(names(keys), new Release(self)));
  }

  /** Of one member alone, it would hold what the first tier has, at a higher price. */
  @Override
  public boolean isPresent() {
    return !isAlone();
  }

  private boolean isAlone() {
    try {
      return hazelcast.getCluster().getMembers().size() == 1;
    } catch (RuntimeException e) {
      return true; // this member has stopped
    }
  }

  private static Set<String> names(Collection<ChunkKey> keys) {
    Set<String> names = HashSet.newHashSet(keys.size());
    keys.forEach(key -> names.add(key.text()));
    return names;
  }

  /** What the call returns, if it does within the timeout and there is room for it to wait. */
  private <T> T bounded(Supplier<T> call, T otherwise) {
    if (isPaused() || !room.tryAcquire()) {
      return otherwise;
    }
    Future<T> answer;
    try {
      answer =
          threads.submit(() -> {
            try {
              return call.get();
            } finally {
              room.release();
            }
          });
    } catch (RuntimeException e) {
      room.release();
      throw e;
    }
    try {
      return answer.get(timeoutMs, TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException e) {
      pause(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return otherwise;
  }

  @Override
  public void put(Map<ChunkKey, byte[]> chunks) {
    if (isPaused() || !room.tryAcquire()) {
      release(chunks.keySet());
      return;
    }
    List<CompletableFuture<?>> puts = new ArrayList<>();
    chunks.forEach((key, value) -> puts.add(change(key, () -> map().setAsync(key.text(), value))));
    var _ =
        CompletableFuture.allOf(puts.toArray(CompletableFuture[]::new))
            .whenComplete((done, error) -> {
              room.release();
              release(chunks.keySet());
            });
  }

  @Override
  public void remove(ChunkKey key) {
    var _ = change(key, () -> map().deleteAsync(key.text()));
  }

  /** Changes of one chunk take place in the order in which they were asked for. */
  private CompletableFuture<?> change(ChunkKey key, Supplier<CompletionStage<?>> call) {
    var mine = new CompletableFuture<Void>();
    CompletableFuture<?> earlier = changes.put(key, mine);
    CompletableFuture<?> ready =
        earlier == null ? CompletableFuture.completedFuture(null) : earlier;
    var _ =
        ready
            .thenCompose(done -> watched(call))
            .whenComplete((done, error) -> {
              changes.remove(key, mine);
              mine.complete(null);
            });
    return mine;
  }

  /** Completes in any case; a failure is noted. */
  private CompletableFuture<?> watched(Supplier<CompletionStage<?>> call) {
    CompletableFuture<?> answer;
    try {
      answer = call.get().toCompletableFuture();
    } catch (RuntimeException e) {
      answer = CompletableFuture.failedFuture(e);
    }
    return answer.handle((done, error) -> {
      if (error != null) {
        pause(error);
      }
      return done;
    });
  }

  private IMap<String, byte[]> map() {
    return hazelcast.getMap(MAP);
  }

  private IMap<String, String> claims() {
    return hazelcast.getMap(CLAIMS);
  }

  @Override
  public long bytes() {
    try {
      return map().getLocalMapStats().getOwnedEntryMemoryCost();
    } catch (RuntimeException e) {
      return 0; // this member has stopped
    }
  }

  private boolean isPaused() {
    return clock.millis() < pausedUntilMs.get();
  }

  private void pause(Throwable error) {
    long until = clock.millis() + PAUSE_MS;
    if (pausedUntilMs.getAndSet(until) < until - PAUSE_MS) {
      log.warn("the shared page cache fails; reading on without it: {}", error.toString());
    }
  }
}
