package dev.ebb.pageservice.cache;

import com.hazelcast.config.EvictionConfig;
import com.hazelcast.config.EvictionPolicy;
import com.hazelcast.config.MapConfig;
import com.hazelcast.config.MaxSizePolicy;
import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.map.IMap;
import java.time.Clock;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The second tier in a Hazelcast map, without backups: a lost entry costs one read of the store.
 * Where the map fails or takes longer than its timeout it is left alone for {@link #PAUSE_MS}.
 */
public final class HazelcastCache implements SharedCache {
  private static final Logger log = LoggerFactory.getLogger(HazelcastCache.class);
  private static final String MAP = "ebb-page-chunks";
  private static final long PAUSE_MS = 5_000;
  private static final int MAX_WAITING = 64;

  private final HazelcastInstance hazelcast;
  private final ExecutorService threads;
  private final Clock clock;
  private final long timeoutMs;
  private final Semaphore room = new Semaphore(MAX_WAITING);
  private final AtomicLong pausedUntilMs = new AtomicLong();

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
    try {
      hazelcast
          .getConfig()
          .addMapConfig(
              new MapConfig(MAP)
                  .setBackupCount(0)
                  .setAsyncBackupCount(0)
                  .setTimeToLiveSeconds(0)
                  .setMaxIdleSeconds(0)
                  .setEvictionConfig(
                      new EvictionConfig()
                          .setEvictionPolicy(EvictionPolicy.LRU)
                          .setMaxSizePolicy(MaxSizePolicy.USED_HEAP_SIZE)
                          .setSize(mebibytesPerMember)));
    } catch (RuntimeException e) {
      log.warn("the shared page cache keeps the configuration that it has: {}", e.toString());
    }
  }

  @Override
  public Map<ChunkKey, byte[]> get(Collection<ChunkKey> keys) {
    if (isPaused() || !room.tryAcquire()) {
      return Map.of();
    }
    Future<Map<String, byte[]>> answer;
    try {
      answer = threads.submit(() -> readAndRelease(keys));
    } catch (RuntimeException e) {
      room.release();
      throw e;
    }
    try {
      Map<String, byte[]> values = answer.get(timeoutMs, TimeUnit.MILLISECONDS);
      Map<ChunkKey, byte[]> found = HashMap.newHashMap(values.size());
      for (ChunkKey key : keys) {
        byte[] value = values.get(key.text());
        if (value != null) {
          found.put(key, value);
        }
      }
      return found;
    } catch (TimeoutException | ExecutionException e) {
      pause(e);
      return Map.of();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Map.of();
    }
  }

  private Map<String, byte[]> readAndRelease(Collection<ChunkKey> keys) {
    try {
      Set<String> names = HashSet.newHashSet(keys.size());
      keys.forEach(key -> names.add(key.text()));
      return map().getAll(names);
    } finally {
      room.release();
    }
  }

  @Override
  public void put(Map<ChunkKey, byte[]> chunks) {
    if (isPaused() || !room.tryAcquire()) {
      return;
    }
    threads.execute(() -> {
      try {
        chunks.forEach((key, value) -> map().set(key.text(), value));
      } catch (RuntimeException e) {
        pause(e);
      } finally {
        room.release();
      }
    });
  }

  @Override
  public void remove(ChunkKey key) {
    try {
      map().removeAsync(key.text());
    } catch (RuntimeException e) {
      pause(e);
    }
  }

  private IMap<String, byte[]> map() {
    return hazelcast.getMap(MAP);
  }

  private boolean isPaused() {
    return clock.millis() < pausedUntilMs.get();
  }

  private void pause(Exception error) {
    long until = clock.millis() + PAUSE_MS;
    if (pausedUntilMs.getAndSet(until) < until - PAUSE_MS) {
      log.warn("the shared page cache fails; reading on without it: {}", error.toString());
    }
  }
}
