package dev.ebb.pageservice.snapshot;

import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackIndex;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.pack.Weighed;
import dev.ebb.shared.bus.PageMessage.BootPages.Run;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A boot pack, whole and compressed. */
record BootPack(PackIndex index, byte[] content) implements Weighed {

  /** Its pages, decoded, by runs of adjacent blocks. */
  List<Run> runs(PageCodec codec) {
    var collector = new Collector(codec);
    index.forEach(collector::add);
    return collector.finish();
  }

  private final class Collector {
    private final PageCodec codec;
    private final List<Run> runs = new ArrayList<>();
    private @Nullable FileId file;
    private int firstBlock;
    private int count;
    private byte[] bytes = new byte[0];

    Collector(PageCodec codec) {
      this.codec = codec;
    }

    void add(FileId next, int block, int page) {
      if (!next.equals(file) || block != firstBlock + count) {
        end();
        file = next;
        firstBlock = block;
      }
      int at = count * PageCodec.BLOCK_BYTES;
      if (at == bytes.length) {
        bytes = Arrays.copyOf(bytes, Math.max(PageCodec.BLOCK_BYTES, bytes.length * 2));
      }
      codec.decode(next, block, content, index.offset(page), index.recordBytes(page), bytes, at);
      count++;
    }

    private void end() {
      if (file != null && count > 0) {
        byte[] whole = Arrays.copyOf(bytes, count * PageCodec.BLOCK_BYTES);
        runs.add(new Run(file.key(), file.incarnation(), firstBlock, whole));
      }
      count = 0;
      bytes = new byte[0];
    }

    List<Run> finish() {
      end();
      return List.copyOf(runs);
    }
  }

  @Override
  public int weight() {
    return content.length + index.weight();
  }
}
