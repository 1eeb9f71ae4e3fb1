package dev.ebb.pageservice.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.FaultyStore;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.InMemoryObjectStore;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class ChunkCacheTest {
  private static final ChunkKey GOOD = new ChunkKey("packs/good", 0, 3);
  private static final ChunkKey GONE = new ChunkKey("packs/gone", 0, 3);

  @Test
  void whoWaitsForAnothersReadIsNotToldOfTheDamageThatThatMet() throws Exception {
    var store = new FaultyStore(new InMemoryObjectStore());
    store.put(GOOD.object(), new byte[] {1, 2, 3});
    var hold = new CountDownLatch(1);
    store.holdRanges(hold);
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var cache =
          new ChunkCache(store, SharedCache.NONE, threads, 1 << 20, new SimpleMeterRegistry());
      CompletableFuture<Map<ChunkKey, byte[]>> both =
          CompletableFuture.supplyAsync(() -> cache.get(List.of(GOOD, GONE)), threads);
      while (store.ranges() < 2) {
        Thread.sleep(1);
      }
      var reader = new CompletableFuture<Thread>();
      CompletableFuture<Map<ChunkKey, byte[]>> one =
          CompletableFuture.supplyAsync(
              () -> {
                reader.complete(Thread.currentThread());
                return cache.get(List.of(GOOD));
              },
              threads);
      while (reader.get().getState() != Thread.State.WAITING) {
        Thread.sleep(1);
      }
      hold.countDown();

      assertThat(one.get(10, TimeUnit.SECONDS).get(GOOD)).containsExactly(1, 2, 3);
      assertThatThrownBy(both::get).hasCauseInstanceOf(EbbException.Corrupt.class);
    }
  }
}
