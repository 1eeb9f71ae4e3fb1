package dev.ebb.pageservice.index;

/**
 * Where a node of the tree is stored.
 *
 * @param crc its last four bytes: tells a node from any other that might be found there
 * @param pages how many pages the leaves below it describe
 */
public record NodeRef(String object, int offset, int length, int crc, long pages) {
  /** How caches name it. */
  String cacheKey() {
    return object + "@" + offset;
  }
}
