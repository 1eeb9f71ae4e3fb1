package dev.ebb.computeservice.postgres;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * {@code pg_filenode.map}: which file a mapped catalog is in. Its CRC says whether it was read
 * whole ({@code src/backend/utils/cache/relmapper.c}: magic, number of mappings, 64 mappings of 8
 * bytes from version 16 on, 62 before, CRC32C of all before it).
 */
public final class RelationMapFile {
  private static final int MAGIC = 0x592717;
  private static final int BYTES = 524;
  private static final int BYTES_BEFORE_16 = 512;

  private RelationMapFile() {}

  /** Whether this is a whole map of any version: its length, magic number and CRC are right. */
  public static boolean isIntact(byte[] content) {
    // 524 bytes with 64 mappings; 512 with 62 mappings and 4 bytes of padding behind the CRC.
    if (content.length != BYTES && content.length != BYTES_BEFORE_16) {
      return false;
    }
    ByteBuffer file = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
    int crcAt = content.length == BYTES ? BYTES - 4 : BYTES_BEFORE_16 - 8;
    var crc = new CRC32C();
    crc.update(content, 0, crcAt);
    return file.getInt(0) == MAGIC && (int) crc.getValue() == file.getInt(crcAt);
  }
}
