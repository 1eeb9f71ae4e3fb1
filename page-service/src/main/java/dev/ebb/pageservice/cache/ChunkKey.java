package dev.ebb.pageservice.cache;

/**
 * A byte range of an immutable object that is fetched and cached whole: a chunk of a pack, or a
 * node of a page index.
 */
public record ChunkKey(String object, long offset, int length) {
  /** As the shared cache names it. */
  String text() {
    return object + "@" + offset + "+" + length;
  }

  public long end() {
    return offset + length;
  }
}
