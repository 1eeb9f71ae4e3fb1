package dev.ebb.pageservice.cache;

/** A chunk of a pack's records: those that begin within one stretch of {@code CHUNK_BYTES}. */
public record ChunkKey(String pack, int chunk) {
  /** As the shared cache names it. */
  String text() {
    return pack + "@" + chunk;
  }
}
