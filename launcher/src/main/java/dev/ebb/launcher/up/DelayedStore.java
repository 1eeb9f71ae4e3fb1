package dev.ebb.launcher.up;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.ObjectStore;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** A store as if it were far away: for measurements. */
final class DelayedStore implements ObjectStore {
  private final ObjectStore store;
  private final Duration delay;

  DelayedStore(ObjectStore store, Duration delay) {
    this.store = store;
    this.delay = delay;
  }

  private <T> T later(Supplier<T> call) {
    try {
      Thread.sleep(delay);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EbbException.Unavailable("interrupted", e);
    }
    return call.get();
  }

  @Override
  public Optional<Stored> get(String key) {
    return later(() -> store.get(key));
  }

  @Override
  public Optional<byte[]> getRange(String key, long offset, int length) {
    return later(() -> store.getRange(key, offset, length));
  }

  @Override
  public Version put(String key, byte[] content) {
    return later(() -> store.put(key, content));
  }

  @Override
  public Optional<Version> putIfAbsent(String key, byte[] content) {
    return later(() -> store.putIfAbsent(key, content));
  }

  @Override
  public Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
    return later(() -> store.putIfMatch(key, content, expected));
  }

  @Override
  public void delete(String key) {
    var _ =
        later(() -> {
          store.delete(key);
          return key;
        });
  }

  @Override
  public List<Listed> list(String prefix) {
    return later(() -> store.list(prefix));
  }

  @Override
  public void close() {
    store.close();
  }
}
