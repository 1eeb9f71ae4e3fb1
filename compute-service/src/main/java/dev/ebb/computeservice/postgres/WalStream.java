package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * Reads the records of a range of WAL one behind the other, each into the same memory: for the many
 * that a capture's audit looks at. What lies below the limit is expected to be whole and intact, as
 * flushed WAL is. Sources: {@code src/include/access/xlogrecord.h}, {@code xlogreader.c}.
 *
 * <p>Not thread-safe.
 */
public final class WalStream {
  private static final int WINDOW_BYTES = 64 * WalSegments.PAGE_BYTES;

  /**
   * Of a longer record only the start is kept. Block references come first; the longest of them, a
   * record of page images, is below 300 kB.
   */
  private static final int MAX_KEPT_BYTES = 4 << 20;

  /** {@code XLogRecordMaxSize}. */
  private static final int MAX_RECORD_BYTES = 1020 * 1024 * 1024;

  private static final int INFO_AT = 16;
  private static final int MANAGER_AT = 17;
  private static final int CRC_AT = 20;
  private static final int INFO_SWITCH = 0x40;
  private static final int FIRST_IS_CONTINUATION = 1;

  private final WalSegments segments;
  private final Source source;
  private final long first;
  private final byte[] window = new byte[WINDOW_BYTES];
  private final ByteBuffer windowFields = ByteBuffer.wrap(window).order(ByteOrder.LITTLE_ENDIAN);
  private long windowStart = -1;
  private int windowBytes;
  private long position;
  private long limit;

  private byte[] record = new byte[64 * 1024];
  private ByteBuffer recordFields = ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN);
  private int kept;
  private int total;
  private long start;

  /** Where the bytes come from. */
  @FunctionalInterface
  public interface Source {
    /** Fills {@code length} bytes of the target with the WAL at {@code at}. */
    void read(Lsn at, byte[] target, int offset, int length) throws IOException;
  }

  /**
   * A stream of the records from one position on; {@link #limit} says how far.
   *
   * @param from where a record starts, or may start
   */
  public WalStream(Source source, int segmentBytes, Lsn from) {
    this.segments = new WalSegments(segmentBytes);
    this.source = source;
    this.first = from.value();
    this.position = first;
    this.limit = first;
  }

  /** Up to where the WAL may be read; never goes back. */
  public void limit(Lsn end) {
    limit = Math.max(limit, end.value());
    // The window's last page may have been short.
    windowStart = -1;
  }

  /**
   * Goes on to the next record.
   *
   * @return false where no whole record is left before the limit
   * @throws EbbException.Corrupt where there is none though the WAL goes on
   */
  public boolean next() throws IOException {
    long at = position;
    if (at >= limit) {
      return false;
    }
    if (at % WalSegments.PAGE_BYTES == 0) {
      if (!turnPage(at, 0)) {
        return false;
      }
      at += headerBytes(at);
    }
    if (at + Integer.BYTES > limit) {
      return false;
    }
    int length = windowFields.getInt(load(at, Integer.BYTES));
    if (length < WalRecords.HEADER_BYTES || length > MAX_RECORD_BYTES) {
      throw broken(at, "a record length of " + length);
    }
    return assemble(at, length);
  }

  private boolean assemble(long recordStart, int length) throws IOException {
    if (record.length < Math.min(length, MAX_KEPT_BYTES)) {
      record = new byte[Math.min(MAX_KEPT_BYTES, Integer.highestOneBit(length) * 2)];
      recordFields = ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN);
    }
    var crc = new CRC32C();
    long at = recordStart;
    int got = 0;
    while (true) {
      int piece = Math.min(length - got, WalSegments.PAGE_BYTES - pageOffset(at));
      if (at + piece > limit) {
        return false;
      }
      int from = load(at, piece);
      System.arraycopy(
          window,
          from,
          record,
          Math.min(got, record.length),
          Math.clamp(record.length - (long) got, 0, piece));
      int ofHeader = Math.clamp((long) WalRecords.HEADER_BYTES - got, 0, piece);
      crc.update(window, from + ofHeader, piece - ofHeader);
      got += piece;
      at += piece;
      if (got == length) {
        break;
      }
      if (!turnPage(at, length - got)) {
        return false;
      }
      at += headerBytes(at);
    }
    crc.update(record, 0, CRC_AT);
    if ((int) crc.getValue() != recordFields.getInt(CRC_AT)) {
      throw broken(recordStart, "a record that fails its checksum");
    }
    start = recordStart;
    total = length;
    kept = Math.min(length, record.length);
    position = (at + 7) & -8;
    if (resourceManager() == WalRecords.RMGR_XLOG
        && info() == INFO_SWITCH
        && segments.offsetInSegment(new Lsn(position)) != 0) {
      position = segments.segmentStart(new Lsn(position)).value() + segments.segmentBytes();
    }
    return true;
  }

  /** Checks the header of the page at {@code at}; false where it lies behind the limit. */
  private boolean turnPage(long at, int remaining) throws IOException {
    int length = headerBytes(at);
    if (at + length > limit) {
      return false;
    }
    int from = load(at, length);
    byte[] header = Arrays.copyOfRange(window, from, from + length);
    if (!WalPageHeader.isOf(header, new Lsn(at))) {
      throw broken(at, "no page header");
    }
    boolean continues = (windowFields.getShort(from + 2) & FIRST_IS_CONTINUATION) != 0;
    if (continues != remaining > 0 || (continues && windowFields.getInt(from + 16) != remaining)) {
      throw broken(at, "a page that does not go on where the one before it ends");
    }
    return true;
  }

  private int headerBytes(long at) {
    return segments.headerBytes(new Lsn(at));
  }

  private static int pageOffset(long at) {
    return (int) (at % WalSegments.PAGE_BYTES);
  }

  /** Where in the window these bytes are; they lie in one page and below the limit. */
  private int load(long at, int length) throws IOException {
    if (windowStart < 0 || at < windowStart || at + length > windowStart + windowBytes) {
      long pageStart = at - pageOffset(at);
      // Before the range there may be nothing: what lies there is not looked at.
      long from = Math.max(pageStart, Math.min(first, at));
      int bytes = (int) Math.min(WINDOW_BYTES, limit - pageStart);
      int skipped = (int) (from - pageStart);
      windowStart = -1;
      source.read(new Lsn(from), window, skipped, bytes - skipped);
      windowStart = pageStart;
      windowBytes = bytes;
    }
    return (int) (at - windowStart);
  }

  private static EbbException.Corrupt broken(long at, String found) {
    return new EbbException.Corrupt("the WAL is broken at " + new Lsn(at) + ": " + found);
  }

  /** Where the record starts. */
  public Lsn start() {
    return new Lsn(start);
  }

  /** Where the next one may start: what PostgreSQL sets as the LSN of the pages it changes. */
  public Lsn end() {
    return new Lsn(position);
  }

  public int resourceManager() {
    return record[MANAGER_AT] & 0xFF;
  }

  /** Without the four bits that belong to the reader. */
  public int info() {
    return record[INFO_AT] & 0xF0;
  }

  /** The record from its header on; only {@link #keptBytes} of it where it is very long. */
  ByteBuffer fields() {
    return recordFields;
  }

  int keptBytes() {
    return kept;
  }

  int totalBytes() {
    return total;
  }
}
