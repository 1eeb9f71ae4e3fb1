package dev.ebb.pageservice.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.FaultyStore;
import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.Pages;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.store.InMemoryObjectStore;
import dev.ebb.shared.store.ObjectStore;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** No tier keeps bytes that turned out to be wrong. */
final class BadBytesTest {
  private static final FileKey HEAP = Pages.heap(1000);
  private static final int BLOCKS = 8;

  private final FaultyStore store = new FaultyStore(new InMemoryObjectStore());
  private final Kept shared = new Kept();
  private String manifest;

  /** Keeps everything. */
  private static final class Kept implements SharedCache {
    private final Map<ChunkKey, byte[]> chunks = new ConcurrentHashMap<>();

    @Override
    public Map<ChunkKey, byte[]> get(Collection<ChunkKey> keys) {
      Map<ChunkKey, byte[]> found = new HashMap<>(chunks);
      found.keySet().retainAll(keys);
      return found;
    }

    @Override
    public void put(Map<ChunkKey, byte[]> fresh) {
      chunks.putAll(fresh);
    }

    @Override
    public void remove(ChunkKey key) {
      chunks.remove(key);
    }
  }

  @BeforeEach
  void commitSnapshot() {
    new BranchHeads(store).create(Instance.head(1, ""));
    try (var instance = new Instance(store)) {
      SnapshotId snapshot = instance.open(1, "");
      for (int block = 0; block < BLOCKS; block++) {
        instance.put(snapshot, HEAP, block, Pages.noise(block));
      }
      manifest = instance.commit(snapshot, 1, new BlockFile(HEAP, 1, BLOCKS)).manifestKey();
    }
  }

  private static byte[] flipped(byte[] bytes, int from, int to) {
    byte[] damaged = bytes.clone();
    for (int i = from; i < to; i += 97) {
      damaged[i] ^= 1;
    }
    return damaged;
  }

  private void assertAllRight(Instance instance) {
    for (int block = 0; block < BLOCKS; block++) {
      assertThat(instance.read(manifest, HEAP, block, 1)).isEqualTo(Pages.noise(block));
    }
  }

  @Test
  void damageInTheSharedCacheIsReplacedByWhatTheStoreHas() {
    try (var one = new Instance(store, shared, 1 << 20)) {
      assertAllRight(one);
    }
    Map<ChunkKey, byte[]> right = Map.copyOf(shared.chunks);
    shared.chunks.replaceAll((key, chunk) -> flipped(chunk, 0, chunk.length));

    try (var two = new Instance(store, shared, 1 << 20)) {
      assertAllRight(two);
      int reads = store.ranges();
      assertAllRight(two);
      assertThat(store.ranges()).as("reads of what is replaced in memory").isEqualTo(reads);
    }
    right.forEach((key, chunk) -> assertThat(shared.chunks.get(key)).isEqualTo(chunk));
  }

  @Test
  void damageInTheStoreIsToldAndForgotten() {
    String pack =
        store.list("branches/").stream()
            .map(ObjectStore.Listed::key)
            .filter(key -> key.contains("/packs/"))
            .findFirst()
            .orElseThrow();
    byte[] right = store.get(pack).orElseThrow().content();
    store.put(pack, flipped(right, 100, BLOCKS * 8192 - 100));

    try (var one = new Instance(store, shared, 1 << 20)) {
      assertThatThrownBy(() -> one.read(manifest, HEAP, 3, 1))
          .isInstanceOf(EbbException.Corrupt.class)
          .hasMessageContaining(pack);

      store.put(pack, right);
      assertAllRight(one);
    }
    try (var two = new Instance(store, shared, 1 << 20)) {
      int reads = store.ranges();
      assertAllRight(two);
      assertThat(store.ranges() - reads).as("reads beside the index").isLessThanOrEqualTo(1);
    }
  }
}
