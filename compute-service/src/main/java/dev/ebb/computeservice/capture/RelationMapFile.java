package dev.ebb.computeservice.capture;

import dev.ebb.shared.error.EbbException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * {@code pg_filenode.map}: which file a mapped catalog is in. Its CRC says whether it was read
 * whole ({@code src/backend/utils/cache/relmapper.c}: magic, number of mappings, 64 mappings of 8
 * bytes from version 16 on, 62 before, CRC32C of all before it).
 */
final class RelationMapFile {
  private static final int MAGIC = 0x592717;

  private RelationMapFile() {}

  static void requireIntact(String name, byte[] content) {
    ByteBuffer file = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
    if (content.length >= 12 && file.getInt(0) == MAGIC) {
      // 524 bytes with 64 mappings; 512 with 62 mappings and 4 bytes of padding behind the CRC.
      int crcAt = content.length == 512 ? 504 : content.length - 4;
      var crc = new CRC32C();
      crc.update(content, 0, crcAt);
      if ((int) crc.getValue() == file.getInt(crcAt)) {
        return;
      }
    }
    throw new EbbException.Corrupt(name + " is damaged or was read while it was being written");
  }
}
