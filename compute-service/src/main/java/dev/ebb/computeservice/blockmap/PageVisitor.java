package dev.ebb.computeservice.blockmap;

import dev.ebb.shared.page.FileKey;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Takes the dirty blocks of a capture, file by file in no order, blocks ascending. */
@FunctionalInterface
public interface PageVisitor {

  /**
   * One whole block, 8192 bytes, never torn. A block may come again with newer content: the last
   * one counts. The buffer is used again after the call.
   */
  void page(FileKey file, int incarnation, int block, ByteBuffer page) throws IOException;
}
