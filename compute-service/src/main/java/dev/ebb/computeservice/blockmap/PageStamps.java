package dev.ebb.computeservice.blockmap;

import dev.ebb.shared.page.FileKey;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The LSNs of relations' pages as a capture read them: 8 bytes a page, and half a kilobyte for each
 * 64 blocks of a file in which there is any. Not thread-safe.
 */
public final class PageStamps {
  /** Of a block of which there is no page here. */
  public static final long NONE = -1;

  private static final int CHUNK_BLOCKS = 64;

  private final Map<FileKey, OfFile> files = new HashMap<>();
  private int pages;

  /** Those of one file. */
  public static final class OfFile {
    private final int incarnation;
    private long[] @Nullable [] chunks = new long[1][];

    private OfFile(int incarnation) {
      this.incarnation = incarnation;
    }

    /** The page's LSN, 0 where it is not initialised, {@link #NONE} where there is no page. */
    public long of(int block) {
      int chunk = block / CHUNK_BLOCKS;
      long @Nullable [] stamps = chunk < chunks.length ? chunks[chunk] : null;
      return stamps == null ? NONE : stamps[block % CHUNK_BLOCKS];
    }

    private void put(int block, long stamp) {
      int chunk = block / CHUNK_BLOCKS;
      if (chunk >= chunks.length) {
        chunks = Arrays.copyOf(chunks, Math.max(chunk + 1, chunks.length * 2));
      }
      long @Nullable [] stamps = chunks[chunk];
      if (stamps == null) {
        stamps = new long[CHUNK_BLOCKS];
        Arrays.fill(stamps, NONE);
        chunks[chunk] = stamps;
      }
      stamps[block % CHUNK_BLOCKS] = stamp;
    }
  }

  /** Those of a file; null where there are none of this incarnation. */
  public @Nullable OfFile of(FileKey key, int incarnation) {
    OfFile file = files.get(key);
    return file == null || file.incarnation != incarnation ? null : file;
  }

  void put(FileKey key, int incarnation, int block, ByteBuffer page) {
    if (key.kind() == FileKey.Kind.RELATION) {
      put(key, incarnation, block, stamp(page));
    }
  }

  /** How many pages it was given, one that came twice counted twice. */
  public int pages() {
    return pages;
  }

  private void put(FileKey key, int incarnation, int block, long stamp) {
    OfFile file = files.get(key);
    if (file == null || file.incarnation != incarnation) {
      file = new OfFile(incarnation);
      files.put(key, file);
    }
    file.put(block, stamp);
    pages++;
  }

  /** Only those of pages that were changed behind a position. */
  public PageStamps behind(long lsn) {
    var later = new PageStamps();
    files.forEach((key, file) -> {
      for (int block = 0; block < file.chunks.length * CHUNK_BLOCKS; block++) {
        long stamp = file.of(block);
        if (stamp != NONE && Long.compareUnsigned(stamp, lsn) > 0) {
          later.put(key, file.incarnation, block, stamp);
        }
      }
    });
    return later;
  }

  /** {@code pd_lsn}: the high half comes first ({@code bufpage.h}, {@code PageXLogRecPtr}). */
  public static long stamp(ByteBuffer page) {
    int high = page.getInt(0);
    int low = page.getInt(4);
    if (page.order() == ByteOrder.BIG_ENDIAN) {
      high = Integer.reverseBytes(high);
      low = Integer.reverseBytes(low);
    }
    return Integer.toUnsignedLong(high) << 32 | Integer.toUnsignedLong(low);
  }
}
