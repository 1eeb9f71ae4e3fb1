package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalVersion;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Reads WAL records and checks them as PostgreSQL's own reader does. Sources: {@code
 * src/include/access/xlogrecord.h}, {@code src/backend/access/transam/xlogreader.c}.
 */
final class WalRecords {
  /** {@code SizeOfXLogRecord}. */
  static final int HEADER_BYTES = 24;

  /** The resource manager of checkpoints and segment switches. */
  static final int RMGR_XLOG = 0;

  static final int INFO_CHECKPOINT_SHUTDOWN = 0x00;
  private static final int INFO_SWITCH = 0x40;

  /** {@code XLogRecordMaxSize}. */
  private static final int MAX_RECORD_BYTES = 1020 * 1024 * 1024;

  private static final int FIRST_IS_CONTINUATION = 1;
  private static final int CRC_OFFSET = 20;

  /** Where pages come from; null where there is none. */
  interface Pages {
    byte @Nullable [] page(Lsn start) throws IOException;
  }

  /**
   * One intact record.
   *
   * @param start of its header
   * @param end where the next record may start (before that page's header, at a page's end)
   * @param previous where the record before it starts
   * @param resourceManager {@code xl_rmid}
   * @param info {@code xl_info} without the four bits of the reader
   * @param pages the pages that it touches
   */
  record Found(Lsn start, Lsn end, Lsn previous, int resourceManager, int info, List<Lsn> pages) {}

  private final WalSegments segments;
  private final Pages pages;
  private final WalVersion version;

  WalRecords(WalSegments segments, Pages pages, WalVersion version) {
    this.segments = segments;
    this.pages = pages;
    this.version = version;
  }

  /** The record at {@code lsn}, or nothing where no intact one is. */
  Optional<Found> read(Lsn lsn) throws IOException {
    Lsn start = lsn;
    if (WalSegments.offsetInPage(start) == 0) {
      start = start.plus(segments.headerBytes(start));
    }
    Lsn pageStart = WalSegments.pageStart(start);
    byte @Nullable [] page = intactPage(pageStart);
    int at = WalSegments.offsetInPage(start);
    if (page == null || at < segments.headerBytes(start) || at % 8 != 0) {
      return Optional.empty();
    }
    int total = buffer(page).getInt(at);
    if (total < HEADER_BYTES || total > MAX_RECORD_BYTES) {
      return Optional.empty();
    }
    var touched = new ArrayList<Lsn>();
    touched.add(pageStart);
    // The length is not yet trusted: collect in pieces, so that garbage allocates little.
    var record = new java.io.ByteArrayOutputStream(Math.min(total, 64 * 1024));
    int part = Math.min(total, WalSegments.PAGE_BYTES - at);
    record.write(page, at, part);
    Lsn end = start.plus(part);
    while (record.size() < total) {
      pageStart = pageStart.plus(WalSegments.PAGE_BYTES);
      page = intactPage(pageStart);
      if (page == null) {
        return Optional.empty();
      }
      ByteBuffer header = buffer(page);
      int left = total - record.size();
      boolean continues = (header.getShort(2) & FIRST_IS_CONTINUATION) != 0;
      if (!continues || header.getInt(16) != left) {
        return Optional.empty();
      }
      touched.add(pageStart);
      int headerBytes = segments.headerBytes(pageStart);
      part = Math.min(left, WalSegments.PAGE_BYTES - headerBytes);
      record.write(page, headerBytes, part);
      end = pageStart.plus(headerBytes + part);
    }
    return decode(start, end, record.toByteArray(), touched);
  }

  private Optional<Found> decode(Lsn start, Lsn end, byte[] record, List<Lsn> touched) {
    var crc = new CRC32C();
    crc.update(record, HEADER_BYTES, record.length - HEADER_BYTES);
    crc.update(record, 0, CRC_OFFSET);
    ByteBuffer fields = buffer(record);
    if (fields.getInt(CRC_OFFSET) != (int) crc.getValue()) {
      return Optional.empty();
    }
    int info = fields.get(16) & 0xF0;
    int manager = fields.get(17) & 0xFF;
    Lsn aligned = new Lsn((end.value() + 7) & -8);
    if (manager == RMGR_XLOG && info == INFO_SWITCH && segments.offsetInSegment(aligned) != 0) {
      aligned = segments.segmentStart(aligned).plus(segments.segmentBytes());
    }
    return Optional.of(
        new Found(start, aligned, new Lsn(fields.getLong(8)), manager, info, List.copyOf(touched)));
  }

  private byte @Nullable [] intactPage(Lsn start) throws IOException {
    byte @Nullable [] page = pages.page(start);
    return page != null && WalPageHeader.isOf(page, start, version) ? page : null;
  }

  private static ByteBuffer buffer(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
