package dev.ebb.pageservice.cache;

import static org.assertj.core.api.Assertions.assertThat;

import com.hazelcast.core.HazelcastInstance;
import dev.ebb.pageservice.Await;
import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.Members;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class HazelcastCacheIT {
  private static final ChunkKey KEY = new ChunkKey("branches/b/packs/s-0", 3, 3);

  private final HazelcastInstance hazelcast = Members.alone("cache-it");
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final Instance.Ticks clock = new Instance.Ticks();

  @AfterEach
  void close() {
    hazelcast.shutdown();
    threads.close();
  }

  private HazelcastCache cache(int mebibytes) {
    return new HazelcastCache(hazelcast, threads, clock, mebibytes, 5_000);
  }

  private static void eventually(HazelcastCache cache, boolean there) {
    Await.until(
        "the chunk's presence is " + there,
        () -> cache.get(List.of(KEY)).containsKey(KEY) == there);
  }

  @Test
  void chunksAreFoundByAnotherInstanceUntilRemoved() {
    HazelcastCache one = cache(8);
    HazelcastCache two = cache(8);

    one.put(Map.of(KEY, new byte[] {1, 2, 3}));
    eventually(two, true);
    assertThat(two.get(List.of(KEY, new ChunkKey("other", 1, 3))))
        .hasSize(1)
        .containsEntry(KEY, new byte[] {1, 2, 3});

    two.remove(KEY);
    eventually(one, false);
  }

  @Test
  void mapStaysWithinItsBound() {
    HazelcastCache cache = cache(4);
    for (int round = 0; round < 40; round++) {
      Map<ChunkKey, byte[]> chunks = new HashMap<>();
      for (int i = 0; i < 16; i++) {
        chunks.put(new ChunkKey("pack" + round, i, 32 << 10), new byte[32 << 10]);
      }
      cache.put(chunks);
      ChunkKey last = new ChunkKey("pack" + round, 15, 32 << 10);
      cache.get(List.of(last));
    }
    var map = hazelcast.getMap("ebb-page-chunks");
    Await.until("something is kept", () -> map.getLocalMapStats().getOwnedEntryMemoryCost() > 0);
    // eviction is by partition, and lags: 20 MiB were offered
    assertThat(map.getLocalMapStats().getOwnedEntryMemoryCost()).isLessThan(12L << 20);
  }

  @Test
  void clusterThatIsGoneCostsHitsOnly() {
    HazelcastCache cache = cache(8);
    cache.put(Map.of(KEY, new byte[] {1}));
    hazelcast.shutdown();

    assertThat(cache.get(List.of(KEY))).isEmpty();
    cache.put(Map.of(KEY, new byte[] {1}));
    cache.remove(KEY);
    clock.advanceMs(60_000);
    assertThat(cache.get(List.of(KEY))).isEmpty();
  }
}
