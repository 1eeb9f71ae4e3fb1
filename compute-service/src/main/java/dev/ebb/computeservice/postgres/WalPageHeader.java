package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalVersion;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The header of a WAL page of PostgreSQL 14 to 18, which differ in its magic number. Source: {@code
 * src/include/access/xlog_internal.h} ({@code XLogPageHeaderData}, {@code XLogLongPageHeaderData}).
 */
final class WalPageHeader {
  /** Where {@code xlp_sysid} lies in a long header. */
  static final int SYSTEM_IDENTIFIER = 24;

  private static final short LONG_HEADER = 2;

  private WalPageHeader() {}

  /** Whether a page carries the header of that version's page that starts at {@code start}. */
  static boolean isOf(byte[] page, Lsn start, WalVersion version) {
    ByteBuffer header = ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN);
    return page.length >= WalSegments.SHORT_HEADER_BYTES
        && Short.toUnsignedInt(header.getShort(0)) == version.pageMagic()
        && header.getLong(8) == start.value();
  }

  /**
   * The header that a page needs when nothing before a certain position in it is known: no record
   * continues onto it. PostgreSQL looks at such a page's header only.
   */
  static byte[] synthesised(Lsn pageStart, WalSegments segments, PgControl control) {
    int length = segments.headerBytes(pageStart);
    ByteBuffer header = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    header.putShort(0, (short) control.major().pageMagic());
    header.putInt(4, control.timeline());
    header.putLong(8, pageStart.value());
    if (length == WalSegments.LONG_HEADER_BYTES) {
      header.putShort(2, LONG_HEADER);
      header.putLong(SYSTEM_IDENTIFIER, control.systemIdentifier());
      header.putInt(32, segments.segmentBytes());
      header.putInt(36, WalSegments.PAGE_BYTES);
    }
    return header.array();
  }
}
