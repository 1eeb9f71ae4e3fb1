package dev.ebb.shared.wal;

/**
 * Sizes and offsets in pages and records: {@code src/include/access/xlog_internal.h}, {@code
 * xlogrecord.h}.
 */
final class WalFormat {
  /** {@code XLOG_BLCKSZ}, and {@code BLCKSZ} as well. */
  static final int PAGE_BYTES = 8192;

  static final int SHORT_HEADER_BYTES = 24;

  /** Of the header of a segment's first page. */
  static final int LONG_HEADER_BYTES = 40;

  /** Of a record's fixed header. */
  static final int RECORD_HEADER_BYTES = 24;

  /** {@code XLogRecordMaxSize} since 16; before that, nothing larger could be allocated. */
  static final int MAX_RECORD_BYTES = 1020 << 20;

  static final int XID_AT = 4;
  static final int PREVIOUS_AT = 8;
  static final int INFO_AT = 16;
  static final int MANAGER_AT = 17;
  static final int CRC_AT = 20;

  /** The bits of {@code xl_info} that belong to the resource manager. */
  static final int INFO_OF_MANAGER = 0xF0;

  static final int RM_XLOG = 0;
  static final int XLOG_SWITCH = 0x40;

  private WalFormat() {}

  static int offsetInPage(long lsn) {
    return (int) (lsn & (PAGE_BYTES - 1));
  }

  static int headerBytes(long page, int segmentBytes) {
    return (page & (segmentBytes - 1)) == 0 ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
  }

  static long aligned(long lsn) {
    return (lsn + 7) & -8;
  }
}
