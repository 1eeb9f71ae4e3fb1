package dev.ebb.computeservice.blockmap;

import dev.ebb.shared.page.FileKey;
import java.io.IOException;

/** Where the content of absent blocks comes from. Called by many threads at once. */
@FunctionalInterface
public interface PageSource {

  /**
   * {@code count} blocks, from {@code firstBlock} on: exactly that many times 8192 bytes. Blocks
   * that the last committed snapshot knows as zeroes are zeroes. Asked only once the blocks are
   * claimed, so that a snapshot that is the newest during the call has their last content.
   *
   * @throws DamagedBlocks if some of them are not what was stored
   * @throws IOException if a block cannot be had: the read in {@code postgres} fails, nothing is
   *     made up
   */
  byte[] read(FileKey file, int incarnation, int firstBlock, int count) throws IOException;
}
