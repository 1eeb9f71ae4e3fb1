package dev.ebb.pageservice;

import dev.ebb.shared.store.ObjectStore;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/** Counts the bytes and the requests that pass. */
public final class CountingStore implements ObjectStore {
  private final ObjectStore store;
  private final AtomicLong read = new AtomicLong();
  private final AtomicLong written = new AtomicLong();
  private final AtomicLong reads = new AtomicLong();

  public CountingStore(ObjectStore store) {
    this.store = store;
  }

  public void reset() {
    read.set(0);
    written.set(0);
    reads.set(0);
  }

  public long bytesRead() {
    return read.get();
  }

  public long bytesWritten() {
    return written.get();
  }

  public long reads() {
    return reads.get();
  }

  @Override
  public Optional<Stored> get(String key) {
    Optional<Stored> found = store.get(key);
    reads.incrementAndGet();
    found.ifPresent(stored -> read.addAndGet(stored.content().length));
    return found;
  }

  @Override
  public Optional<byte[]> getRange(String key, long offset, int length) {
    reads.incrementAndGet();
    read.addAndGet(length);
    return store.getRange(key, offset, length);
  }

  @Override
  public Version put(String key, byte[] content) {
    written.addAndGet(content.length);
    return store.put(key, content);
  }

  @Override
  public Optional<Version> putIfAbsent(String key, byte[] content) {
    written.addAndGet(content.length);
    return store.putIfAbsent(key, content);
  }

  @Override
  public Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
    written.addAndGet(content.length);
    return store.putIfMatch(key, content, expected);
  }

  @Override
  public void delete(String key) {
    store.delete(key);
  }

  @Override
  public List<Listed> list(String prefix) {
    return store.list(prefix);
  }

  @Override
  public void close() {
    store.close();
  }
}
