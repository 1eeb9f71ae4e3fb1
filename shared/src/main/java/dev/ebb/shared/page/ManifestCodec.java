package dev.ebb.shared.page;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdException;
import dev.ebb.shared.error.EbbException;
import java.util.zip.CRC32C;

/**
 * The stored form of a {@link Manifest}: magic {@code EBBM} (4 bytes), format version (1), length
 * of the body before compression (4), the body as {@link ManifestBody} writes it, compressed with
 * zstd, and CRC32C of all before (4). Numbers are big-endian.
 *
 * <p>Any change of what is written is a new format version; decoding keeps knowing the old ones.
 * Format 1 was never released.
 */
public final class ManifestCodec {
  private static final int MAGIC = 0x4542424D;
  private static final int VERSION = 3;
  private static final int OLDEST_VERSION = 2;
  private static final int HEADER_BYTES = 9;
  private static final int CRC_BYTES = 4;
  private static final int LEVEL = 3;

  /** What a manifest may take before compression: bounds the memory that a forged one costs. */
  static final int MAX_BODY_BYTES = 64 << 20;

  private ManifestCodec() {}

  /**
   * {@code Invalid} where a manifest cannot be stored: too large, or a path that leaves its tree.
   */
  public static byte[] encode(Manifest manifest) {
    BinaryWriter body = ManifestBody.write(manifest);
    if (body.length() > MAX_BODY_BYTES) {
      throw new EbbException.Invalid(
          "a manifest of "
              + body.length()
              + " bytes; at most "
              + MAX_BODY_BYTES
              + " can be stored");
    }
    byte[] compressed = compress(body);
    var out =
        new BinaryWriter(HEADER_BYTES + compressed.length + CRC_BYTES)
            .putInt(MAGIC)
            .putByte(ManifestBody.version(manifest))
            .putInt(body.length())
            .putRaw(compressed, 0, compressed.length);
    return out.putInt(crc(out.array(), out.length())).toBytes();
  }

  private static byte[] compress(BinaryWriter body) {
    var compressed = new byte[(int) Zstd.compressBound(body.length())];
    long bytes =
        Zstd.compressByteArray(
            compressed, 0, compressed.length, body.array(), 0, body.length(), LEVEL);
    if (Zstd.isError(bytes)) {
      throw new IllegalStateException("zstd: " + Zstd.getErrorName(bytes));
    }
    return java.util.Arrays.copyOf(compressed, (int) bytes);
  }

  /**
   * {@code Corrupt} for anything that {@link #encode} did not write; {@code Unavailable} for a
   * format of a newer Ebb.
   */
  public static Manifest decode(byte[] encoded) {
    var in = new BinaryReader("a manifest", encoded, 0, encoded.length);
    if (encoded.length < HEADER_BYTES + CRC_BYTES || in.takeInt() != MAGIC) {
      throw in.corrupt("it is no manifest");
    }
    int version = in.takeByte();
    int end = encoded.length - CRC_BYTES;
    int stored = new BinaryReader("a manifest", encoded, end, encoded.length).takeInt();
    if (stored != crc(encoded, end)) {
      throw in.corrupt("its checksum is wrong");
    }
    if (version > VERSION) {
      throw new EbbException.Unavailable(
          "a manifest of format "
              + version
              + "; this Ebb knows format "
              + VERSION
              + ": run the newer Ebb that wrote it");
    }
    if (version < OLDEST_VERSION) {
      throw new EbbException.Unavailable(
          "a manifest of format " + version + ", which no release of Ebb has written: it is lost");
    }
    int bodyBytes = in.takeInt();
    if (bodyBytes < 0 || bodyBytes > MAX_BODY_BYTES) {
      throw in.corrupt("an impossible length of " + bodyBytes);
    }
    return ManifestBody.read(decompress(in, encoded, end, bodyBytes), version);
  }

  private static BinaryReader decompress(BinaryReader in, byte[] encoded, int end, int bodyBytes) {
    // the frame knows its own length, too: nothing is allocated before both agree
    long frameBytes = Zstd.getFrameContentSize(encoded, HEADER_BYTES, end - HEADER_BYTES);
    if (frameBytes != bodyBytes) {
      throw in.corrupt("its two lengths differ");
    }
    var body = new byte[bodyBytes];
    try {
      long bytes =
          Zstd.decompressByteArray(body, 0, bodyBytes, encoded, HEADER_BYTES, end - HEADER_BYTES);
      if (Zstd.isError(bytes) || bytes != bodyBytes) {
        throw in.corrupt("it cannot be decompressed");
      }
    } catch (ZstdException e) {
      throw new EbbException.Corrupt("a manifest is damaged: it cannot be decompressed", e);
    }
    return new BinaryReader("a manifest", body, 0, bodyBytes);
  }

  private static int crc(byte[] bytes, int length) {
    var crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }
}
