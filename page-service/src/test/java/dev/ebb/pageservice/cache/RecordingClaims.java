package dev.ebb.pageservice.cache;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArraySet;

/** Passes on, and remembers what was claimed. */
final class RecordingClaims implements SharedCache {
  private final SharedCache cache;
  private final Set<ChunkKey> claimed = new CopyOnWriteArraySet<>();

  RecordingClaims(SharedCache cache) {
    this.cache = cache;
  }

  List<ChunkKey> keys() {
    return List.copyOf(claimed);
  }

  @Override
  public Set<ChunkKey> claim(Collection<ChunkKey> keys) {
    claimed.addAll(keys);
    return cache.claim(keys);
  }

  @Override
  public void release(Collection<ChunkKey> keys) {
    cache.release(keys);
  }

  @Override
  public Map<ChunkKey, byte[]> get(Collection<ChunkKey> keys) {
    return cache.get(keys);
  }

  @Override
  public void put(Map<ChunkKey, byte[]> chunks) {
    cache.put(chunks);
  }

  @Override
  public void remove(ChunkKey key) {
    cache.remove(key);
  }
}
