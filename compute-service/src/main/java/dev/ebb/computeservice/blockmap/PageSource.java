package dev.ebb.computeservice.blockmap;

import dev.ebb.shared.page.FileKey;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Where the content of absent blocks comes from. Called by many threads at once. */
@FunctionalInterface
public interface PageSource {

  /**
   * Puts {@code count} blocks, from {@code firstBlock} on, into the buffer: exactly that many times
   * 8192 bytes. Blocks that the last committed snapshot knows as zeroes are zeroes.
   *
   * @throws IOException if a block cannot be had: the read in {@code postgres} fails, nothing is
   *     made up
   */
  void read(FileKey file, int incarnation, int firstBlock, int count, ByteBuffer target)
      throws IOException;
}
