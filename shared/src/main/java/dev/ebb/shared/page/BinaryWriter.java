package dev.ebb.shared.page;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Writes stored formats: fixed-width numbers big-endian; varints of 7 bits a byte, the low ones
 * first, where a set high bit says that more follow; signed ones zigzagged before.
 */
public final class BinaryWriter {
  private byte[] bytes;
  private int length;

  public BinaryWriter(int expectedBytes) {
    bytes = new byte[Math.max(expectedBytes, 16)];
  }

  public int length() {
    return length;
  }

  /** The array behind it, valid up to {@link #length} and until the next write. */
  public byte[] array() {
    return bytes;
  }

  public byte[] toBytes() {
    return Arrays.copyOf(bytes, length);
  }

  public BinaryWriter putByte(int value) {
    room(1);
    bytes[length++] = (byte) value;
    return this;
  }

  public BinaryWriter putInt(int value) {
    room(4);
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes[length++] = (byte) (value >>> shift);
    }
    return this;
  }

  public BinaryWriter putLong(long value) {
    return putInt((int) (value >>> 32)).putInt((int) value);
  }

  /** A varint of an unsigned number. */
  public BinaryWriter putVarint(long value) {
    room(10);
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      bytes[length++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    bytes[length++] = (byte) rest;
    return this;
  }

  /** A varint of a number that may be negative. */
  public BinaryWriter putSignedVarint(long value) {
    return putVarint((value << 1) ^ (value >> 63));
  }

  public BinaryWriter putRaw(byte[] from, int offset, int count) {
    room(count);
    System.arraycopy(from, offset, bytes, length, count);
    length += count;
    return this;
  }

  /** Bytes behind their number. */
  public BinaryWriter putBytes(byte[] content) {
    return putVarint(content.length).putRaw(content, 0, content.length);
  }

  /** UTF-8 behind its number of bytes. */
  public BinaryWriter putText(String text) {
    return putBytes(text.getBytes(StandardCharsets.UTF_8));
  }

  private void room(int count) {
    if (count > bytes.length - length) {
      int wanted = Math.addExact(length, count);
      bytes = Arrays.copyOf(bytes, Math.max(wanted, (int) Math.min(bytes.length * 2L, 1 << 30)));
    }
  }
}
