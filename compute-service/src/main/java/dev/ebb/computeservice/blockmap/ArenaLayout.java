package dev.ebb.computeservice.blockmap;

import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;

/**
 * Where things are in the arena's file, and how a new one is written. {@code
 * src/main/native/arena.h} is the authority; {@link #VERSION} changes with both.
 */
final class ArenaLayout {
  static final long MAGIC = 0x414E455241424245L; // "EBBARENA"
  static final int VERSION = 4;
  static final int WORDS_PER_ENTRY = FileKey.BLOCKS_PER_SEGMENT;
  static final int CHUNK_BLOCKS = 1024;
  static final int HEADER_BYTES = 4096;
  static final int ENTRY_BYTES = 64;
  static final int ENTRIES_PER_PAGE = 64;
  static final int PAGE_BYTES = 4096;
  static final int MAX_NEW_CAPACITY = 1 << 16;

  static final int H_MAGIC = 0;
  static final int H_VERSION = 8;
  static final int H_BLOCK_SIZE = 12;
  static final int H_BASE_COUNT = 16;
  static final int H_NEW_CAPACITY = 20;
  static final int H_BASE_OFFSET = 24;
  static final int H_NEW_OFFSET = 32;
  static final int H_WORDS_OFFSET = 40;
  static final int H_TOTAL_BYTES = 48;
  static final int H_GENERATION = 56;
  static final int H_FIRST_NEW_INCARNATION = 64;
  static final int H_NEXT_INCARNATION = 68;
  static final int H_NEW_COUNT = 72;
  static final int H_POSTMASTER_PID = 80;
  static final int H_FLAGS = 84;
  static final int H_APPENDED = 88;
  static final int H_STATS = 96;
  static final int H_TABLE_BACKED = 184;

  static final int FLAG_CLOSED = 1;
  static final int FLAG_EVICTS = 2;

  static final int E_KIND = 0;
  static final int E_DATABASE = 4;
  static final int E_RELATION = 8;
  static final int E_FORK = 12;
  static final int E_SEGMENT = 16;
  static final int E_BACKED_BLOCKS = 20;
  static final int E_INCARNATION = 24;
  static final int E_BASE_BLOCKS = 28;
  static final int E_STATE = 32;
  static final int E_SLOT = 36;
  static final int E_LAZY_BLOCKS = 40;
  static final int E_SIZE_BLOCKS = 44;
  static final int E_DIRTY_CHUNKS = 48;

  static final int PHASE_MASK = 0xff;
  static final int SIZE_CHANGED = 0x100;
  static final int PINNED = 0x200;
  static final int SLOT_USED = 1;
  static final int NO_KIND = -1;

  private ArenaLayout() {}

  /** Writes a new arena: the header, the entries of {@code files}, and holes. */
  static FileChannel write(
      Path file, long generation, int nextIncarnation, List<BlockFile> files, int newCapacity)
      throws IOException {
    if (Integer.bitCount(newCapacity) != 1 || newCapacity > MAX_NEW_CAPACITY) {
      throw new IllegalArgumentException(
          "newCapacity is not a power of two up to " + MAX_NEW_CAPACITY + ": " + newCapacity);
    }
    long newOffset = pageAligned(HEADER_BYTES + (long) files.size() * ENTRY_BYTES);
    long wordsOffset = pageAligned(newOffset + (long) newCapacity * ENTRY_BYTES);
    long total = total(files.size(), newCapacity, wordsOffset);
    ByteBuffer head = head(generation, nextIncarnation, files, newCapacity, newOffset, wordsOffset);
    // CREATE_NEW is O_EXCL: neither a file nor a link that somebody put there.
    FileChannel channel =
        FileChannel.open(
            file,
            Set.of(
                StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    try {
      while (head.hasRemaining()) {
        channel.write(head, head.position());
      }
      channel.write(ByteBuffer.wrap(new byte[1]), total - 1);
      return channel;
    } catch (IOException | RuntimeException e) {
      channel.close();
      Files.deleteIfExists(file);
      if (e instanceof IOException full) {
        throw new IOException(
            "the block map of "
                + files.size()
                + " files cannot be made in "
                + file.getParent()
                + ", which needs room for "
                + head.capacity()
                + " bytes and more as files are used: "
                + full.getMessage(),
            full);
      }
      throw e;
    }
  }

  private static ByteBuffer head(
      long generation,
      int nextIncarnation,
      List<BlockFile> files,
      int newCapacity,
      long newOffset,
      long wordsOffset) {
    long total = total(files.size(), newCapacity, wordsOffset);
    ByteBuffer head =
        ByteBuffer.allocate(HEADER_BYTES + files.size() * ENTRY_BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    head.putLong(H_MAGIC, MAGIC)
        .putInt(H_VERSION, VERSION)
        .putInt(H_BLOCK_SIZE, FileKey.BLOCK_BYTES)
        .putInt(H_BASE_COUNT, files.size())
        .putInt(H_NEW_CAPACITY, newCapacity)
        .putLong(H_BASE_OFFSET, HEADER_BYTES)
        .putLong(H_NEW_OFFSET, newOffset)
        .putLong(H_WORDS_OFFSET, wordsOffset)
        .putLong(H_TOTAL_BYTES, total)
        .putLong(H_GENERATION, generation)
        .putInt(H_FIRST_NEW_INCARNATION, nextIncarnation)
        .putInt(H_NEXT_INCARNATION, nextIncarnation);
    BlockFile previous = null;
    int at = HEADER_BYTES;
    for (BlockFile base : files) {
      if (previous != null && previous.key().compareTo(base.key()) >= 0) {
        throw new IllegalArgumentException(
            "files are not sorted: " + previous.key() + " before " + base.key());
      }
      if (Integer.compareUnsigned(base.incarnation(), nextIncarnation) >= 0
          || base.blocks() < 0
          || base.blocks() > WORDS_PER_ENTRY) {
        throw new IllegalArgumentException("not a valid file: " + base);
      }
      previous = base;
      FileKey key = base.key();
      head.putInt(at + E_KIND, key.kind().code())
          .putInt(at + E_DATABASE, key.database())
          .putInt(at + E_RELATION, key.relation())
          .putInt(at + E_FORK, key.fork())
          .putInt(at + E_SEGMENT, key.segment())
          .putInt(at + E_INCARNATION, base.incarnation())
          .putInt(at + E_BASE_BLOCKS, base.blocks())
          .putInt(at + E_SLOT, SLOT_USED)
          .putInt(at + E_LAZY_BLOCKS, base.blocks())
          .putInt(at + E_SIZE_BLOCKS, base.blocks());
      at += ENTRY_BYTES;
    }
    return head;
  }

  private static long total(int baseCount, int newCapacity, long wordsOffset) {
    return wordsOffset + ((long) baseCount + newCapacity) * WORDS_PER_ENTRY * 4L;
  }

  private static long pageAligned(long bytes) {
    return (bytes + 4095) & -4096L;
  }
}
