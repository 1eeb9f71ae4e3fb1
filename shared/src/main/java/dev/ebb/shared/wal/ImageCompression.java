package dev.ebb.shared.wal;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdException;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;

/** How a page's image is stored ({@code wal_compression}); all but pglz since version 15. */
public enum ImageCompression {
  NONE,
  PGLZ,
  LZ4,
  ZSTD;

  private static final LZ4SafeDecompressor LZ4_BLOCKS =
      LZ4Factory.safeInstance().safeDecompressor();

  /**
   * Unpacks an image.
   *
   * @return false where that does not give just {@code length} bytes
   */
  boolean unpack(byte[] from, int at, int packed, byte[] to, int offset, int length) {
    return switch (this) {
      case NONE -> {
        System.arraycopy(from, at, to, offset, length);
        yield packed == length;
      }
      case PGLZ -> Pglz.unpack(from, at, packed, to, offset, length);
      case LZ4 -> {
        try {
          yield LZ4_BLOCKS.decompress(from, at, packed, to, offset, length) == length;
        } catch (LZ4Exception | IndexOutOfBoundsException e) {
          yield false;
        }
      }
      case ZSTD -> {
        try {
          yield Zstd.decompressByteArray(to, offset, length, from, at, packed) == length;
        } catch (ZstdException e) {
          yield false;
        }
      }
    };
  }
}
