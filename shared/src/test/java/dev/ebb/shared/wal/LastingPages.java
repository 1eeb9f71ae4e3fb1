package dev.ebb.shared.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * Page images that nothing came after: what they unpack to must be in the relation's file, byte by
 * byte, but for the page's LSN and checksum. Only of some relations, because readers change pages
 * as well, without a record, by their hints.
 */
final class LastingPages {
  private static final int BEHIND_CHECKSUM = 10;
  private static final int FPI = 0xB0;

  private record Block(RelFileLocator relation, ForkName fork, int number) {}

  private record Image(
      long end, byte[] page, ImageCompression compression, int holeOffset, int holeBytes) {}

  private final Map<Block, Image> last = new HashMap<>();
  private final Map<ImageCompression, Integer> unpacked = new EnumMap<>(ImageCompression.class);

  /** Notes a record; unpacks all of its images. */
  void note(WalRecord record) throws WalException {
    for (int i = 0; i < record.blocks(); i++) {
      WalBlock block = record.block(i);
      var key = new Block(block.relation(), block.fork(), block.blockNumber());
      last.remove(key);
      if (block.hasImage()) {
        byte[] page = new byte[8192];
        block.restoreImage(page, 0);
        unpacked.merge(block.compression(), 1, Integer::sum);
        if (record.resourceManager() == 0 && record.operation() == FPI) {
          last.put(
              key,
              new Image(
                  record.end().value(),
                  page,
                  block.compression(),
                  block.holeOffset(),
                  block.holeBytes()));
        }
      }
    }
  }

  /** How many images of each kind were unpacked. */
  Map<ImageCompression, Integer> unpacked() {
    return unpacked;
  }

  /** How many pages of each kind are in the files of a stopped cluster; fails where one differs. */
  Map<ImageCompression, Integer> compare(Path data, Set<Integer> relNumbers) throws IOException {
    Map<ImageCompression, Integer> same = new EnumMap<>(ImageCompression.class);
    for (var entry : last.entrySet()) {
      Block block = entry.getKey();
      Image image = entry.getValue();
      byte[] page = read(data, block);
      if (!relNumbers.contains(block.relation().relNumber())
          || page == null
          || lsn(page) != image.end()) {
        continue;
      }
      // What is between a page's items and its line pointers is nobody's, and left out of images.
      Arrays.fill(page, image.holeOffset(), image.holeOffset() + image.holeBytes(), (byte) 0);
      if (!Arrays.equals(page, BEHIND_CHECKSUM, 8192, image.page(), BEHIND_CHECKSUM, 8192)) {
        throw new AssertionError(block + " in " + image.compression() + " differs from its file");
      }
      same.merge(image.compression(), 1, Integer::sum);
    }
    return same;
  }

  /** The high half comes first ({@code PageXLogRecPtr}). */
  private static long lsn(byte[] page) {
    return LittleEndian.unsignedInteger(page, 0) << 32 | LittleEndian.unsignedInteger(page, 4);
  }

  private static byte @org.jspecify.annotations.Nullable [] read(Path data, Block block)
      throws IOException {
    RelFileLocator relation = block.relation();
    if (relation.spcOid() != 1663) {
      return null;
    }
    String fork = block.fork() == ForkName.MAIN ? "" : "_" + block.fork();
    Path file = data.resolve("base/" + relation.dbOid() + "/" + relation.relNumber() + fork);
    if (!Files.exists(file)) {
      return null;
    }
    try (FileChannel channel = FileChannel.open(file)) {
      byte[] page = new byte[8192];
      int bytes = channel.read(ByteBuffer.wrap(page), block.number() * 8192L);
      return bytes == 8192 ? page : null;
    }
  }
}
