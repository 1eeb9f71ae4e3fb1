package dev.ebb.computeservice.capture;

import dev.ebb.computeservice.blockmap.PageVisitor;
import dev.ebb.computeservice.pages.CaptureSink;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.page.FileKey;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Gathers neighbouring pages into runs, one message each. {@link #flush} after the last page. */
final class PageRuns implements PageVisitor {
  private final CaptureSink sink;
  private final byte[] bytes = new byte[PageMessage.MAX_PAGES_PER_MESSAGE * FileKey.BLOCK_BYTES];
  private @Nullable FileKey file;
  private int incarnation;
  private int firstBlock;
  private int count;

  PageRuns(CaptureSink sink) {
    this.sink = sink;
  }

  @Override
  public void page(FileKey key, int of, int block, ByteBuffer page) {
    boolean follows =
        key.equals(file)
            && of == incarnation
            && block == firstBlock + count
            && count < PageMessage.MAX_PAGES_PER_MESSAGE;
    if (!follows) {
      flush();
      file = key;
      incarnation = of;
      firstBlock = block;
    }
    page.get(bytes, count * FileKey.BLOCK_BYTES, FileKey.BLOCK_BYTES);
    count++;
  }

  void flush() {
    if (file != null && count > 0) {
      sink.put(
          file, incarnation, firstBlock, false, Arrays.copyOf(bytes, count * FileKey.BLOCK_BYTES));
    }
    count = 0;
  }
}
