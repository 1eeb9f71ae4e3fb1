package dev.ebb.pageservice.index;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdException;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.BinaryReader;
import dev.ebb.shared.page.BinaryWriter;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * The stored form of a node: magic {@code EBBN} (4 bytes), format version (1), level (1, 0 for a
 * leaf), length of the body before compression (4), the body compressed with zstd, and CRC32C of
 * all before (4). The body is a {@link PageTable} in a leaf, else an {@link InnerNode}.
 */
final class NodeCodec {
  static final int MAGIC = 0x4542424E;
  static final int VERSION = 1;
  static final int MAX_STORED_BYTES = 16 << 20;
  private static final int HEADER_BYTES = 10;
  private static final int CRC_BYTES = 4;
  private static final int MAX_BODY_BYTES = 32 << 20;
  private static final int LEVEL = 3;

  private NodeCodec() {}

  static byte[] seal(int level, BinaryWriter body) {
    byte[] compressed = Zstd.compress(body.toBytes(), LEVEL);
    var out =
        new BinaryWriter(HEADER_BYTES + compressed.length + CRC_BYTES)
            .putInt(MAGIC)
            .putByte(VERSION)
            .putByte(level)
            .putInt(body.length())
            .putRaw(compressed, 0, compressed.length);
    return out.putInt(crc(out.array(), out.length())).toBytes();
  }

  /** The CRC of a sealed node. */
  static int crcOf(byte[] sealed) {
    return ByteBuffer.wrap(sealed).getInt(sealed.length - CRC_BYTES);
  }

  static PageTable leaf(NodeRef ref, byte[] stored) {
    BinaryReader body = open(ref, 0, stored);
    PageTable table = PageTable.read(body);
    body.expectEnd();
    return table;
  }

  static InnerNode inner(NodeRef ref, int level, byte[] stored) {
    BinaryReader body = open(ref, level, stored);
    InnerNode node = InnerNode.read(body);
    body.expectEnd();
    if (node.level() != level) {
      throw body.corrupt("it is of level " + node.level());
    }
    return node;
  }

  private static BinaryReader open(NodeRef ref, int level, byte[] stored) {
    String what = "the page index in " + ref.object() + " at offset " + ref.offset();
    var in = new BinaryReader(what, stored, 0, stored.length);
    if (stored.length < HEADER_BYTES + CRC_BYTES || in.takeInt() != MAGIC) {
      throw in.corrupt("there is no node");
    }
    int version = in.takeByte();
    int end = stored.length - CRC_BYTES;
    if (crcOf(stored) != crc(stored, end) || crcOf(stored) != ref.crc()) {
      throw in.corrupt("its checksum is wrong");
    }
    if (version > VERSION) {
      throw new EbbException.Unavailable(
          what
              + " has format "
              + version
              + "; this Ebb knows format "
              + VERSION
              + ": run the newer Ebb that wrote it");
    }
    int storedLevel = in.takeByte();
    int bodyBytes = in.takeInt();
    if (version != VERSION
        || storedLevel != level
        || bodyBytes < 0
        || bodyBytes > MAX_BODY_BYTES
        || Zstd.getFrameContentSize(stored, HEADER_BYTES, end - HEADER_BYTES) != bodyBytes) {
      throw in.corrupt("it cannot be: level " + storedLevel + ", " + bodyBytes + " bytes");
    }
    var body = new byte[bodyBytes];
    try {
      Zstd.decompressByteArray(body, 0, bodyBytes, stored, HEADER_BYTES, end - HEADER_BYTES);
    } catch (ZstdException e) {
      throw new EbbException.Corrupt(what + " is damaged", e);
    }
    return new BinaryReader(what, body, 0, bodyBytes);
  }

  private static int crc(byte[] bytes, int length) {
    var crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }
}
