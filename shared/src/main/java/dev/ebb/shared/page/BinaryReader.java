package dev.ebb.shared.page;

import dev.ebb.shared.error.EbbException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Reads what {@link BinaryWriter} wrote. Whatever cannot be is {@code Corrupt}, with the name of
 * what is read; nothing is read or allocated past the end, however large a number claims to be.
 */
public final class BinaryReader {
  private final String what;
  private final byte[] bytes;
  private final int end;
  private int at;

  /**
   * @param what names the stored object in errors
   */
  public BinaryReader(String what, byte[] bytes, int from, int end) {
    this.what = what;
    this.bytes = bytes;
    this.at = from;
    this.end = end;
  }

  public int remaining() {
    return end - at;
  }

  public int takeByte() {
    need(1);
    return bytes[at++] & 0xFF;
  }

  public int takeInt() {
    need(4);
    int value = 0;
    for (int i = 0; i < 4; i++) {
      value = (value << 8) | (bytes[at++] & 0xFF);
    }
    return value;
  }

  public long takeLong() {
    long high = takeInt();
    return (high << 32) | (takeInt() & 0xFFFFFFFFL);
  }

  public long takeVarint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      int next = takeByte();
      value |= (next & 0x7FL) << shift;
      if (next < 0x80) {
        return value;
      }
    }
    throw corrupt("a number of more than 64 bits");
  }

  public long takeSignedVarint() {
    long value = takeVarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** A varint that must be 0 to {@code most}. */
  public int takeVarint(int most) {
    long value = takeVarint();
    if (value < 0 || value > most) {
      throw corrupt("a number out of range: " + value);
    }
    return (int) value;
  }

  /** A count of things of which each takes at least {@code leastBytes}. */
  public int takeCount(int leastBytes) {
    return takeVarint(remaining() / leastBytes);
  }

  public byte[] takeRaw(int count) {
    need(count);
    at += count;
    return Arrays.copyOfRange(bytes, at - count, at);
  }

  public byte[] takeBytes() {
    return takeRaw(takeCount(1));
  }

  public String takeText() {
    int count = takeCount(1);
    need(count);
    at += count;
    return new String(bytes, at - count, count, StandardCharsets.UTF_8);
  }

  public void expectEnd() {
    if (at != end) {
      throw corrupt((end - at) + " bytes too many");
    }
  }

  public EbbException.Corrupt corrupt(String why) {
    return new EbbException.Corrupt(what + " is damaged: " + why);
  }

  private void need(int count) {
    if (count < 0 || count > end - at) {
      throw corrupt("it ends too early");
    }
  }
}
