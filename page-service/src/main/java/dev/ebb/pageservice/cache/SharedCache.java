package dev.ebb.pageservice.cache;

import java.util.Collection;
import java.util.Map;
import java.util.Set;

/**
 * The second tier: what one instance fetched from the store, others find here. It may forget
 * anything, fail silently, and is never waited for longer than its own bound.
 */
public interface SharedCache {
  /** No second tier. */
  SharedCache NONE =
      new SharedCache() {
        @Override
        public Map<ChunkKey, byte[]> get(Collection<ChunkKey> keys) {
          return Map.of();
        }

        @Override
        public void put(Map<ChunkKey, byte[]> chunks) {}

        @Override
        public void remove(ChunkKey key) {}

        @Override
        public boolean isPresent() {
          return false;
        }
      };

  /** What it has of the chunks asked for. */
  Map<ChunkKey, byte[]> get(Collection<ChunkKey> keys);

  /**
   * Which of these chunks the caller is to read from the store: all but those that another instance
   * reads at this moment. What was claimed is put, or released.
   */
  default Set<ChunkKey> claim(Collection<ChunkKey> keys) {
    return Set.copyOf(keys);
  }

  /** Ends claims without a result. */
  default void release(Collection<ChunkKey> keys) {}

  /** Offers chunks, and ends claims on them; does not wait. */
  void put(Map<ChunkKey, byte[]> chunks);

  /** Forgets a chunk that turned out to be damaged. */
  void remove(ChunkKey key);

  /** What this process holds of it. */
  default long bytes() {
    return 0;
  }

  /** Whether there is a second tier, just now. */
  default boolean isPresent() {
    return true;
  }
}
