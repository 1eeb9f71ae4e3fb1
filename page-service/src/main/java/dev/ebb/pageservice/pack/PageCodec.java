package dev.ebb.pageservice.pack;

import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.FileKey;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.zip.CRC32C;

/**
 * The stored form of one page, a record: CRC32C (4 bytes, over the page's place, and all of the
 * record behind it), encoding (1 byte: 0 as it is, 1 zstd without magic), bytes. A page of all
 * zeroes has the empty record.
 *
 * <p>The place is part of the checksum, so that the right bytes of the wrong page are noticed.
 */
public final class PageCodec implements AutoCloseable {
  public static final int BLOCK_BYTES = FileKey.BLOCK_BYTES;
  static final int RECORD_HEADER_BYTES = 5;

  /** The longest record: a page that does not get smaller. */
  public static final int MAX_RECORD_BYTES = RECORD_HEADER_BYTES + BLOCK_BYTES;

  private static final int PLACE_BYTES = 25;
  private static final byte PLAIN = 0;
  private static final byte ZSTD = 1;
  private static final byte[] ZEROES = new byte[BLOCK_BYTES];

  private final int level;

  // a context costs some hundred kB and a millisecond to make; threads come and go
  private final ConcurrentLinkedDeque<ZstdCompressCtx> compressors = new ConcurrentLinkedDeque<>();
  private final ConcurrentLinkedDeque<ZstdDecompressCtx> decompressors =
      new ConcurrentLinkedDeque<>();

  /**
   * @param level zstd's, 1 to 19
   */
  public PageCodec(int level) {
    this.level = level;
  }

  /** Writes the record of a page to {@code out} and returns its length; 0 for a zero page. */
  public int encode(FileId file, int block, byte[] pages, int from, byte[] out, int at) {
    if (Arrays.equals(pages, from, from + BLOCK_BYTES, ZEROES, 0, BLOCK_BYTES)) {
      return 0;
    }
    int body = at + RECORD_HEADER_BYTES;
    int length = compress(pages, from, out, body);
    out[at + 4] = ZSTD;
    if (length == 0) {
      out[at + 4] = PLAIN;
      System.arraycopy(pages, from, out, body, BLOCK_BYTES);
      length = BLOCK_BYTES;
    }
    ByteBuffer.wrap(out).putInt(at, crc(file, block, out, at + 4, length + 1));
    return RECORD_HEADER_BYTES + length;
  }

  /** The compressed length, or 0 where compression gains nothing. */
  private int compress(byte[] pages, int from, byte[] out, int at) {
    ZstdCompressCtx context = compressors.pollFirst();
    if (context == null) {
      context =
          new ZstdCompressCtx()
              .setLevel(level)
              .setMagicless(true)
              .setChecksum(false)
              .setContentSize(false);
    }
    try {
      int room = Math.min(BLOCK_BYTES - 1, out.length - at);
      return context.compressByteArray(out, at, room, pages, from, BLOCK_BYTES);
    } catch (ZstdException e) {
      return 0; // no room: it does not get smaller
    } finally {
      compressors.addFirst(context);
    }
  }

  /**
   * Writes the page of a record to {@code out}. {@code Corrupt} where the record is not what was
   * written for this place; what {@code out} then holds is undefined.
   */
  public void decode(
      FileId file, int block, byte[] records, int from, int length, byte[] out, int at) {
    if (length == 0) {
      Arrays.fill(out, at, at + BLOCK_BYTES, (byte) 0);
      return;
    }
    if (length <= RECORD_HEADER_BYTES || length > MAX_RECORD_BYTES) {
      throw corrupt(file, block, "a record of " + length + " bytes");
    }
    int stored = ByteBuffer.wrap(records).getInt(from);
    if (stored != crc(file, block, records, from + 4, length - 4)) {
      throw corrupt(file, block, "its checksum is wrong");
    }
    int body = from + RECORD_HEADER_BYTES;
    int bytes = length - RECORD_HEADER_BYTES;
    switch (records[from + 4]) {
      case PLAIN -> {
        if (bytes != BLOCK_BYTES) {
          throw corrupt(file, block, "a page of " + bytes + " bytes");
        }
        System.arraycopy(records, body, out, at, BLOCK_BYTES);
      }
      case ZSTD -> decompress(file, block, records, body, bytes, out, at);
      default ->
          throw new EbbException.Unavailable(
              "block "
                  + block
                  + " of "
                  + file
                  + " has encoding "
                  + records[from + 4]
                  + "; this Ebb knows encodings up to "
                  + ZSTD
                  + ": run the newer Ebb that wrote it");
    }
  }

  private void decompress(
      FileId file, int block, byte[] records, int from, int length, byte[] out, int at) {
    ZstdDecompressCtx context = decompressors.pollFirst();
    if (context == null) {
      context = new ZstdDecompressCtx().setMagicless(true);
    }
    try {
      int bytes = context.decompressByteArray(out, at, BLOCK_BYTES, records, from, length);
      if (bytes != BLOCK_BYTES) {
        throw corrupt(file, block, "a page of " + bytes + " bytes");
      }
    } catch (ZstdException e) {
      throw new EbbException.Corrupt("block " + block + " of " + file + " is damaged", e);
    } finally {
      decompressors.addFirst(context);
    }
  }

  private static int crc(FileId file, int block, byte[] bytes, int from, int length) {
    FileKey key = file.key();
    ByteBuffer place =
        ByteBuffer.allocate(PLACE_BYTES)
            .put((byte) key.kind().code())
            .putInt(key.database())
            .putInt(key.relation())
            .putInt(key.fork())
            .putInt(key.segment())
            .putInt(file.incarnation())
            .putInt(block)
            .flip();
    var crc = new CRC32C();
    crc.update(place);
    crc.update(bytes, from, length);
    return (int) crc.getValue();
  }

  private static EbbException.Corrupt corrupt(FileId file, int block, String why) {
    return new EbbException.Corrupt("block " + block + " of " + file + " is damaged: " + why);
  }

  @Override
  public void close() {
    for (var context = compressors.pollFirst(); context != null; ) {
      context.close();
      context = compressors.pollFirst();
    }
    for (var context = decompressors.pollFirst(); context != null; ) {
      context.close();
      context = decompressors.pollFirst();
    }
  }
}
