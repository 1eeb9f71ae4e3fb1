package dev.ebb.shared.archive;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdException;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.BinaryReader;
import dev.ebb.shared.page.BinaryWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import java.util.zip.CRC32C;

/**
 * The content of an archive object: magic {@code EBBW} (4 bytes), format version (1), length of the
 * index (4), the index, CRC32C of all before (4); then the blocks, one behind the other, each a
 * zstd frame of some records.
 *
 * <p>Index: the first record's offset (varint), the number of blocks (varint); for each block the
 * number of its records (varint), its first record's offset less the object's (varint), its length
 * before compression and as stored (varints), and CRC32C of it as stored (4). Block: of each record
 * its offset less that of the record before, or of the block's first (varint), its kind (1),
 * generation (varint), writer (8), LSN (8), and its bytes behind their number (varint). Fixed-width
 * numbers are big-endian.
 */
public final class ArchiveCodec {
  private static final int MAGIC = 0x45424257;
  private static final int VERSION = 1;
  private static final int HEADER_BYTES = 9;
  private static final int CRC_BYTES = 4;
  private static final int LEVEL = 3;
  private static final int BLOCK_BYTES = 1 << 20;

  /** What a block may take before compression: bounds the memory that a forged one costs. */
  private static final int MAX_BLOCK_BYTES = 16 << 20;

  private static final int LEAST_RECORD_BYTES = 20;

  private ArchiveCodec() {}

  private record Block(
      int records, long firstOffset, int rawBytes, int storedBytes, int crc, byte[] stored) {}

  /** Records in the order of their offsets, at least one. */
  public static byte[] encode(List<ArchivedRecord> records) {
    if (records.isEmpty()) {
      throw new IllegalArgumentException("nothing to archive");
    }
    long firstOffset = records.getFirst().offset();
    List<Block> blocks = new ArrayList<>();
    var raw = new BinaryWriter(BLOCK_BYTES);
    int begin = 0;
    for (int i = 0; i < records.size(); i++) {
      ArchivedRecord record = records.get(i);
      if (i > 0 && record.offset() <= records.get(i - 1).offset()) {
        throw new IllegalArgumentException("records out of order at " + record.offset());
      }
      long before = i == begin ? record.offset() : records.get(i - 1).offset();
      raw.putVarint(record.offset() - before)
          .putByte(record.kind())
          .putVarint(record.generation())
          .putLong(record.writer())
          .putLong(record.lsn())
          .putBytes(record.bytes());
      if (raw.length() >= BLOCK_BYTES || i == records.size() - 1) {
        blocks.add(block(i + 1 - begin, records.get(begin).offset(), raw));
        raw = new BinaryWriter(BLOCK_BYTES);
        begin = i + 1;
      }
    }
    return whole(firstOffset, blocks);
  }

  private static Block block(int records, long firstOffset, BinaryWriter raw) {
    var compressed = new byte[(int) Zstd.compressBound(raw.length())];
    long bytes =
        Zstd.compressByteArray(
            compressed, 0, compressed.length, raw.array(), 0, raw.length(), LEVEL);
    if (Zstd.isError(bytes)) {
      throw new IllegalStateException("zstd: " + Zstd.getErrorName(bytes));
    }
    byte[] stored = Arrays.copyOf(compressed, (int) bytes);
    return new Block(
        records, firstOffset, raw.length(), stored.length, crc(stored, 0, stored.length), stored);
  }

  private static byte[] whole(long firstOffset, List<Block> blocks) {
    var index = new BinaryWriter(64).putVarint(firstOffset).putVarint(blocks.size());
    int stored = 0;
    for (Block block : blocks) {
      index
          .putVarint(block.records())
          .putVarint(block.firstOffset() - firstOffset)
          .putVarint(block.rawBytes())
          .putVarint(block.storedBytes())
          .putInt(block.crc());
      stored = Math.addExact(stored, block.storedBytes());
    }
    var out =
        new BinaryWriter(HEADER_BYTES + index.length() + CRC_BYTES + stored)
            .putInt(MAGIC)
            .putByte(VERSION)
            .putInt(index.length())
            .putRaw(index.array(), 0, index.length());
    out.putInt(crc(out.array(), 0, out.length()));
    for (Block block : blocks) {
      out.putRaw(block.stored(), 0, block.storedBytes());
    }
    return out.toBytes();
  }

  /**
   * Hands over the records from an offset on, in order; blocks before it are not looked into.
   *
   * <p>{@code Corrupt} for anything that {@link #encode} did not write; {@code Unavailable} for a
   * format of a newer Ebb.
   *
   * @param what names the object in errors
   * @param each takes a record; false ends it
   * @return false where {@code each} ended it
   */
  public static boolean decode(
      String what, byte[] content, long from, Predicate<ArchivedRecord> each) {
    var in = new BinaryReader(what, content, 0, content.length);
    int at = HEADER_BYTES + CRC_BYTES;
    List<Block> blocks = index(what, in, content);
    if (!blocks.isEmpty()) {
      at += indexBytes(content);
    }
    for (int i = 0; i < blocks.size(); i++) {
      Block block = blocks.get(i);
      if (block.storedBytes() > content.length - at) {
        throw in.corrupt("it ends too early");
      }
      boolean before = i + 1 < blocks.size() && blocks.get(i + 1).firstOffset() <= from;
      if (!before && !records(what, in, content, at, block, from, each)) {
        return false;
      }
      at += block.storedBytes();
    }
    if (at != content.length) {
      throw in.corrupt((content.length - at) + " bytes too many");
    }
    return true;
  }

  private static int indexBytes(byte[] content) {
    return new BinaryReader("", content, HEADER_BYTES - 4, content.length).takeInt();
  }

  private static List<Block> index(String what, BinaryReader in, byte[] content) {
    if (content.length < HEADER_BYTES + CRC_BYTES || in.takeInt() != MAGIC) {
      throw in.corrupt("it is no part of a log");
    }
    int version = in.takeByte();
    if (version != VERSION) {
      throw new EbbException.Unavailable(
          what
              + " is of format "
              + version
              + "; this Ebb knows format "
              + VERSION
              + ": run the newer Ebb that wrote it");
    }
    int length = in.takeInt();
    if (length < 0 || length > content.length - HEADER_BYTES - CRC_BYTES) {
      throw in.corrupt("an impossible length of " + length);
    }
    int end = HEADER_BYTES + length;
    if (new BinaryReader(what, content, end, content.length).takeInt() != crc(content, 0, end)) {
      throw in.corrupt("its checksum is wrong");
    }
    var index = new BinaryReader(what, content, HEADER_BYTES, end);
    long firstOffset = index.takeVarint();
    int count = index.takeCount(8);
    List<Block> blocks = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      int records = index.takeVarint(Integer.MAX_VALUE);
      long first = firstOffset + index.takeVarint();
      int raw = index.takeVarint(MAX_BLOCK_BYTES);
      int stored = index.takeVarint(content.length);
      blocks.add(new Block(records, first, raw, stored, index.takeInt(), new byte[0]));
    }
    index.expectEnd();
    return blocks;
  }

  private static boolean records(
      String what,
      BinaryReader in,
      byte[] content,
      int at,
      Block block,
      long from,
      Predicate<ArchivedRecord> each) {
    if (crc(content, at, block.storedBytes()) != block.crc()) {
      throw in.corrupt("the checksum of its records is wrong");
    }
    var raw = new byte[block.rawBytes()];
    try {
      long bytes = Zstd.decompressByteArray(raw, 0, raw.length, content, at, block.storedBytes());
      if (Zstd.isError(bytes) || bytes != raw.length) {
        throw in.corrupt("it cannot be decompressed");
      }
    } catch (ZstdException e) {
      throw new EbbException.Corrupt(what + " is damaged: it cannot be decompressed", e);
    }
    var records = new BinaryReader(what, raw, 0, raw.length);
    if (block.records() > raw.length / LEAST_RECORD_BYTES) {
      throw in.corrupt("too many records");
    }
    long offset = block.firstOffset();
    for (int i = 0; i < block.records(); i++) {
      offset += records.takeVarint();
      var record =
          new ArchivedRecord(
              offset,
              records.takeByte(),
              records.takeVarint(),
              records.takeLong(),
              records.takeLong(),
              records.takeBytes());
      if (offset >= from && !each.test(record)) {
        return false;
      }
    }
    records.expectEnd();
    return true;
  }

  private static int crc(byte[] bytes, int from, int length) {
    var crc = new CRC32C();
    crc.update(bytes, from, length);
    return (int) crc.getValue();
  }
}
