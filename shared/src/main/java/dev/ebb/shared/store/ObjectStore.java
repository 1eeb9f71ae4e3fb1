package dev.ebb.shared.store;

import java.util.List;
import java.util.Optional;

/**
 * Where pages, manifests and the catalog live. Blocking: call it from virtual threads or a worker,
 * never from an event loop. Every successful write is durable before the call returns.
 *
 * <p>Keys are {@code /}-separated, of {@code [A-Za-z0-9._-]} elements, at most 512 characters.
 * Failures of the store itself (unreachable, refused, full) are {@code EbbException.Unavailable};
 * what is stored but cannot be what was written is {@code EbbException.Corrupt}.
 */
public interface ObjectStore extends AutoCloseable {

  /** What a conditional write compares: opaque, equal when the content is unchanged. */
  record Version(String tag) {}

  /** An object's content with its version. */
  record Stored(byte[] content, Version version) {}

  /** A key with its size in bytes and last modification, in ms since the epoch. */
  record Listed(String key, long bytes, long modifiedEpochMs) {}

  Optional<Stored> get(String key);

  /**
   * {@code length} bytes from {@code offset}; fewer never come back: a range outside the object is
   * {@code Corrupt}, a missing object an empty result.
   */
  Optional<byte[]> getRange(String key, long offset, int length);

  /** Writes or overwrites. */
  Version put(String key, byte[] content);

  /** Writes only where nothing is stored under the key; empty result: somebody was first. */
  Optional<Version> putIfAbsent(String key, byte[] content);

  /** Overwrites only where the version is still {@code expected}; empty result: it is not. */
  Optional<Version> putIfMatch(String key, byte[] content, Version expected);

  /** Deletes; a missing object is no error. */
  void delete(String key);

  /** Every object whose key starts with {@code prefix}, in key order. */
  List<Listed> list(String prefix);

  @Override
  void close();
}
