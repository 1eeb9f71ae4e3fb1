package dev.ebb.shared.wal.text;

import dev.ebb.shared.wal.WalBlock;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalRecord;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** A part of a record by the offsets of what is in it. Nothing is read that is not there. */
final class Fields {
  private final WalRecord record;
  private final ByteBuffer bytes;

  private Fields(WalRecord record, ByteBuffer bytes) {
    this.record = record;
    this.bytes = bytes;
  }

  /** The data that belongs to no block. */
  static Fields main(WalRecord record) throws WalException {
    return new Fields(record, record.main());
  }

  /** Whether there is data about the block that the record refers to as its first. */
  boolean hasBlockData() {
    return record.blocks() > 0 && record.block(0).id() == 0 && record.block(0).dataBytes() > 0;
  }

  /** That data. */
  Fields blockData() throws WalException {
    if (!hasBlockData()) {
      throw record.wrong("there is no data about block 0");
    }
    return new Fields(record, record.block(0).data());
  }

  /** Whether there is an image of that block. */
  boolean hasBlockImage() {
    return record.blocks() > 0 && record.block(0).id() == 0 && record.block(0).hasImage();
  }

  WalBlock block() {
    return record.block(0);
  }

  WalRecord record() {
    return record;
  }

  int size() {
    return bytes.limit();
  }

  private int need(long at, int length) throws WalException {
    if (at < 0 || at > bytes.limit() - length) {
      throw record.wrong(
          "data of %d bytes ends before byte %d".formatted(bytes.limit(), at + length));
    }
    return (int) at;
  }

  int u1(long at) throws WalException {
    return bytes.get(need(at, 1)) & 0xFF;
  }

  int u2(long at) throws WalException {
    return bytes.getShort(need(at, 2)) & 0xFFFF;
  }

  /** A signed one. */
  int d4(long at) throws WalException {
    return bytes.getInt(need(at, 4));
  }

  long u4(long at) throws WalException {
    return bytes.getInt(need(at, 4)) & 0xFFFF_FFFFL;
  }

  long d8(long at) throws WalException {
    return bytes.getLong(need(at, 8));
  }

  boolean bool(long at) throws WalException {
    return u1(at) != 0;
  }

  /** {@code BlockIdData}: the upper half comes first. */
  long blockNumber(long at) throws WalException {
    return (long) u2(at) << 16 | u2(at + 2);
  }

  /** A number of items of this size that lie from {@code at} on. */
  int checkedCount(long count, long at, int itemBytes) throws WalException {
    if (count < 0 || count > (bytes.limit() - at) / itemBytes) {
      throw record.wrong("a list of " + count + " that is cut off");
    }
    return (int) count;
  }

  /** Up to a zero byte. */
  String text(long at) throws WalException {
    int from = need(at, 1);
    int end = from;
    while (bytes.get(end) != 0) {
      if (++end == bytes.limit()) {
        throw record.wrong("a text without an end");
      }
    }
    byte[] text = new byte[end - from];
    bytes.get(from, text);
    return new String(text, StandardCharsets.UTF_8);
  }
}
