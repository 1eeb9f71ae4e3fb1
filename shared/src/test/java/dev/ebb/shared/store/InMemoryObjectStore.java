package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;

/** An object store for tests: keeps the port's contract, and counts what is asked of it. */
public final class InMemoryObjectStore implements ObjectStore {
  private record Entry(byte[] content, Version version, long modifiedEpochMs) {}

  private final Map<String, Entry> objects = new TreeMap<>();
  private final AtomicLong versions = new AtomicLong();
  private final AtomicLong reads = new AtomicLong();

  /** How often {@code get} and {@code getRange} were called. */
  public long reads() {
    return reads.get();
  }

  @Override
  public synchronized Optional<Stored> get(String key) {
    reads.incrementAndGet();
    return Optional.ofNullable(objects.get(ObjectKeys.require(key)))
        .map(entry -> new Stored(entry.content().clone(), entry.version()));
  }

  @Override
  public synchronized Optional<byte[]> getRange(String key, long offset, int length) {
    reads.incrementAndGet();
    Entry entry = objects.get(ObjectKeys.require(key));
    if (entry == null) {
      return Optional.empty();
    }
    if (offset < 0 || length < 0) {
      throw new EbbException.Invalid("a negative range of " + key);
    }
    if (length > entry.content().length - offset) {
      throw new EbbException.Corrupt(key + " is too short");
    }
    return Optional.of(Arrays.copyOfRange(entry.content(), (int) offset, (int) offset + length));
  }

  @Override
  public synchronized Version put(String key, byte[] content) {
    ObjectKeys.require(key);
    var version = new Version(Long.toString(versions.incrementAndGet()));
    objects.put(key, new Entry(content.clone(), version, System.currentTimeMillis()));
    return version;
  }

  @Override
  public synchronized Optional<Version> putIfAbsent(String key, byte[] content) {
    return objects.containsKey(ObjectKeys.require(key))
        ? Optional.empty()
        : Optional.of(put(key, content));
  }

  @Override
  public synchronized Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
    Entry entry = objects.get(ObjectKeys.require(key));
    return entry == null || !entry.version().equals(expected)
        ? Optional.empty()
        : Optional.of(put(key, content));
  }

  @Override
  public synchronized void delete(String key) {
    objects.remove(ObjectKeys.require(key));
  }

  @Override
  public synchronized List<Listed> list(String prefix) {
    ObjectKeys.requirePrefix(prefix);
    var found = new ArrayList<Listed>();
    objects.forEach((key, entry) -> {
      if (key.startsWith(prefix)) {
        found.add(new Listed(key, entry.content().length, entry.modifiedEpochMs()));
      }
    });
    return List.copyOf(found);
  }

  @Override
  public void close() {}
}
