package dev.ebb.pageservice.cache;

import java.util.Collection;
import java.util.Map;

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

  /** Offers chunks; does not wait. */
  void put(Map<ChunkKey, byte[]> chunks);

  /** Forgets a chunk that turned out to be damaged. */
  void remove(ChunkKey key);

  /** Whether there is a second tier at all. */
  default boolean isPresent() {
    return true;
  }
}
