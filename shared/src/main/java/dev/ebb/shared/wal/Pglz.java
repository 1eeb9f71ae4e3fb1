package dev.ebb.shared.wal;

/**
 * Unpacks PostgreSQL's own compression ({@code src/common/pg_lzcompress.c}): groups of up to eight
 * items, a byte before each group saying of each, from its lowest bit on, whether it is a byte
 * itself or a copy of earlier output. A copy has two bytes, 4 bits for its length less 3 and 12 for
 * how far back it is, and a third one with more length where those 4 bits are all set.
 */
final class Pglz {
  private static final int MIN_COPY = 3;
  private static final int LENGTH_BITS = 0x0F;

  private Pglz() {}

  /**
   * Unpacks.
   *
   * @return whether the whole of the input gave exactly {@code length} bytes
   */
  static boolean unpack(byte[] from, int at, int packed, byte[] to, int offset, int length) {
    int in = at;
    int out = offset;
    final int inEnd = at + packed;
    final int outEnd = offset + length;
    while (in < inEnd && out < outEnd) {
      int copies = from[in++];
      for (int item = 0; item < Byte.SIZE && in < inEnd && out < outEnd; item++, copies >>= 1) {
        if ((copies & 1) == 0) {
          to[out++] = from[in++];
          continue;
        }
        if (inEnd - in < 2) {
          return false;
        }
        int bytes = (from[in] & LENGTH_BITS) + MIN_COPY;
        int back = ((from[in] & 0xF0) << 4) | (from[in + 1] & 0xFF);
        in += 2;
        if (bytes == LENGTH_BITS + MIN_COPY) {
          if (in == inEnd) {
            return false;
          }
          bytes += from[in++] & 0xFF;
        }
        if (back == 0 || back > out - offset) {
          return false;
        }
        // What is copied may reach into what the copy itself writes.
        for (int i = Math.min(bytes, outEnd - out); i > 0; i--, out++) {
          to[out] = to[out - back];
        }
      }
    }
    return in == inEnd && out == outEnd;
  }
}
