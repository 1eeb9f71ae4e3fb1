package dev.ebb.pageservice.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.Await;
import dev.ebb.pageservice.FaultyStore;
import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.Pages;
import dev.ebb.pageservice.cache.ChunkKey;
import dev.ebb.pageservice.cache.SharedCache;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.store.InMemoryObjectStore;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class SnapshotReaderTest {
  private static final FileKey HEAP = Pages.heap(1000);
  private static final int BLOCKS = 600;

  private final InMemoryObjectStore objects = new InMemoryObjectStore();
  private String manifest = "";

  /** Keeps everything; loses or damages what a test wants. */
  private static final class FakeShared implements SharedCache {
    private final Map<ChunkKey, byte[]> chunks = new ConcurrentHashMap<>();
    private int removed;

    @Override
    public Map<ChunkKey, byte[]> get(Collection<ChunkKey> keys) {
      Map<ChunkKey, byte[]> found = new HashMap<>();
      for (ChunkKey key : keys) {
        byte[] chunk = chunks.get(key);
        if (chunk != null) {
          found.put(key, chunk);
        }
      }
      return found;
    }

    @Override
    public void put(Map<ChunkKey, byte[]> fresh) {
      chunks.putAll(fresh);
    }

    @Override
    public void remove(ChunkKey key) {
      removed++;
      chunks.remove(key);
    }
  }

  @BeforeEach
  void commitSnapshot() {
    new BranchHeads(objects).create(Instance.head(1, ""));
    try (var instance = new Instance(objects, SharedCache.NONE, 8 << 20)) {
      SnapshotId snapshot = instance.open(1, "");
      for (int block = 0; block < BLOCKS; block++) {
        instance.put(snapshot, HEAP, block, Pages.page(1, HEAP, block));
      }
      manifest = instance.commit(snapshot, 1, new BlockFile(HEAP, 1, BLOCKS)).manifestKey();
    }
  }

  @Test
  void everyRunIsReadRight() {
    try (var instance = new Instance(objects)) {
      var random = new Random(3);
      for (int i = 0; i < 200; i++) {
        int first = random.nextInt(BLOCKS);
        int count = 1 + random.nextInt(Math.min(128, BLOCKS - first));
        byte[] read = instance.read(manifest, HEAP, first, count);
        assertThat(read).hasSize(count * FileKey.BLOCK_BYTES);
        assertThat(read)
            .startsWith(Pages.page(1, HEAP, first))
            .endsWith(Pages.page(1, HEAP, first + count - 1));
      }
    }
  }

  @Test
  void runOfAdjacentBlocksIsOneRangedRead() {
    var store = new FaultyStore(objects);
    try (var instance = new Instance(store)) {
      instance.read(manifest, HEAP, 0, 1);
      int before = store.ranges();
      instance.read(manifest, HEAP, 300, 128);
      assertThat(store.ranges() - before).isEqualTo(1);

      instance.read(manifest, HEAP, 310, 100);
      assertThat(store.ranges() - before).as("the second time it is in memory").isEqualTo(1);
    }
  }

  @Test
  void concurrentMissesOfOneRangeAreFetchedOnce() throws Exception {
    var store = new FaultyStore(objects);
    try (var instance = new Instance(store);
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      instance.read(manifest, HEAP, 0, 1);
      int before = store.ranges();
      double missesBefore = missesOf(instance);
      var gate = new CountDownLatch(1);
      store.holdRanges(gate);
      List<Future<byte[]>> reads = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        reads.add(threads.submit(() -> instance.read(manifest, HEAP, 400, 50)));
      }
      Await.until("all have missed", () -> missesOf(instance) >= missesBefore + 20);
      gate.countDown();
      for (Future<byte[]> read : reads) {
        assertThat(read.get(30, TimeUnit.SECONDS)).startsWith(Pages.page(1, HEAP, 400));
      }
      assertThat(store.ranges() - before).isEqualTo(1);
    }
  }

  private static double missesOf(Instance instance) {
    return instance
        .meters
        .get("ebb.page.cache.chunks")
        .tags("tier", "l1", "result", "miss")
        .counter()
        .count();
  }

  @Test
  void whatOneInstanceFetchedAnotherFindsInTheSharedCache() {
    var shared = new FakeShared();
    try (var one = new Instance(objects, shared, 1 << 20)) {
      one.read(manifest, HEAP, 0, 100);
    }
    var store = new FaultyStore(objects);
    try (var two = new Instance(store, shared, 1 << 20)) {
      assertThat(two.read(manifest, HEAP, 0, 100)).startsWith(Pages.page(1, HEAP, 0));
      assertThat(store.ranges()).isZero();
    }
  }

  @Test
  void damagedChunkOfTheSharedCacheIsReadFromTheStoreInstead() {
    var shared = new FakeShared();
    try (var one = new Instance(objects, shared, 1 << 20)) {
      one.read(manifest, HEAP, 0, 100);
    }
    shared.chunks.replaceAll((key, chunk) -> {
      byte[] damaged = chunk.clone();
      for (int i = 0; i < damaged.length; i += 50) {
        damaged[i] ^= 1;
      }
      return damaged;
    });
    try (var two = new Instance(objects, shared, 1 << 20)) {
      for (int block = 0; block < 100; block++) {
        assertThat(two.read(manifest, HEAP, block, 1)).isEqualTo(Pages.page(1, HEAP, block));
      }
      assertThat(shared.removed).isPositive();
    }
    shared.chunks.replaceAll((key, chunk) -> new byte[3]);
    try (var three = new Instance(objects, shared, 1 << 20)) {
      assertThat(three.read(manifest, HEAP, 5, 1)).isEqualTo(Pages.page(1, HEAP, 5));
    }
  }

  @Test
  void everyDamagedByteOfThePackIsCorruptOrWithoutEffect() {
    ObjectStore.Listed pack =
        objects.list(BranchKeys.prefix(Instance.BRANCH) + "packs/").getFirst();
    byte[] whole = objects.get(pack.key()).orElseThrow().content();
    byte[] good;
    try (var instance = new Instance(objects)) {
      good = instance.read(manifest, HEAP, 0, 128);
    }
    var random = new Random(11);
    int noticed = 0;
    for (int i = 0; i < 300; i++) {
      byte[] damaged = whole.clone();
      damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      objects.put(pack.key(), damaged);
      try (var instance = new Instance(objects)) {
        assertThat(instance.read(manifest, HEAP, 0, 128)).isEqualTo(good);
      } catch (EbbException.Corrupt e) {
        noticed++;
        assertThat(e).hasMessageContaining(pack.key());
      }
    }
    assertThat(noticed).isPositive();
    for (int length = 0; length < whole.length; length += whole.length / 40) {
      objects.put(pack.key(), java.util.Arrays.copyOf(whole, length));
      try (var instance = new Instance(objects)) {
        assertThatThrownBy(() -> instance.read(manifest, HEAP, BLOCKS - 1, 1))
            .isInstanceOf(EbbException.Corrupt.class)
            .hasMessageContaining(pack.key());
      }
    }
  }

  @Test
  void damagedManifestIsCorruptByItsName() {
    byte[] stored = objects.get(manifest).orElseThrow().content();
    stored[stored.length / 2] ^= 1;
    objects.put(manifest, stored);
    try (var instance = new Instance(objects)) {
      assertThatThrownBy(() -> instance.reader.view(manifest))
          .isInstanceOf(EbbException.Corrupt.class)
          .hasMessageContaining(manifest);
      assertThatThrownBy(() -> instance.reader.view(manifest))
          .as("and is not remembered as such: the object may come back")
          .isInstanceOf(EbbException.Corrupt.class);
    }
  }

  @Test
  void readOutsideTheFileIsInvalid() {
    try (var instance = new Instance(objects)) {
      for (int[] run : new int[][] {{BLOCKS, 1}, {0, 0}, {0, 129}, {-1, 1}, {BLOCKS - 1, 2}}) {
        assertThatThrownBy(() -> instance.read(manifest, HEAP, run[0], run[1]))
            .isInstanceOf(EbbException.Invalid.class);
      }
      assertThatThrownBy(() -> instance.read(manifest, Pages.heap(999), 0, 1))
          .isInstanceOf(EbbException.Invalid.class);
    }
  }

  @Test
  void failedFetchIsNotRemembered() {
    var store = new FaultyStore(objects);
    try (var instance = new Instance(store)) {
      instance.read(manifest, HEAP, 0, 1);
      store.goAway();
      assertThatThrownBy(() -> instance.read(manifest, HEAP, 500, 10))
          .isInstanceOf(EbbException.Unavailable.class);
      store.heal();
      assertThat(instance.read(manifest, HEAP, 500, 10)).startsWith(Pages.page(1, HEAP, 500));
    }
  }
}
