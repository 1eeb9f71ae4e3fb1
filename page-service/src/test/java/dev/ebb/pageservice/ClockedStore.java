package dev.ebb.pageservice;

import dev.ebb.shared.store.ObjectStore;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/** A store whose objects are as old as a test's clock says, and which tells before it writes. */
public final class ClockedStore implements ObjectStore {
  private final ObjectStore store;
  private final Clock clock;
  private final Map<String, Long> modified = new ConcurrentHashMap<>();
  private volatile Consumer<String> beforeWrite = key -> {};
  private volatile Consumer<String> beforeRead = key -> {};

  public ClockedStore(ObjectStore store, Clock clock) {
    this.store = store;
    this.clock = clock;
  }

  /** Runs before each write with its key. */
  public void beforeWrite(Consumer<String> hook) {
    beforeWrite = hook;
  }

  /** Runs before each whole object is read, with its key. */
  public void beforeRead(Consumer<String> hook) {
    beforeRead = hook;
  }

  private void written(String key) {
    modified.put(key, clock.millis());
  }

  @Override
  public Optional<Stored> get(String key) {
    beforeRead.accept(key);
    return store.get(key);
  }

  @Override
  public Optional<byte[]> getRange(String key, long offset, int length) {
    return store.getRange(key, offset, length);
  }

  @Override
  public Version put(String key, byte[] content) {
    beforeWrite.accept(key);
    written(key);
    return store.put(key, content);
  }

  @Override
  public Optional<Version> putIfAbsent(String key, byte[] content) {
    beforeWrite.accept(key);
    written(key);
    return store.putIfAbsent(key, content);
  }

  @Override
  public Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
    beforeWrite.accept(key);
    written(key);
    return store.putIfMatch(key, content, expected);
  }

  @Override
  public void delete(String key) {
    store.delete(key);
  }

  @Override
  public List<Listed> list(String prefix) {
    return store.list(prefix).stream()
        .map(o -> new Listed(o.key(), o.bytes(), modified.getOrDefault(o.key(), 0L)))
        .toList();
  }

  @Override
  public void close() {
    store.close();
  }
}
