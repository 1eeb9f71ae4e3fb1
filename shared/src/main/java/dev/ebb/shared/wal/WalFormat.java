package dev.ebb.shared.wal;

import dev.ebb.shared.model.Lsn;
import java.util.Locale;

/**
 * Sizes, offsets and positions in segments, pages and records: {@code
 * src/include/access/xlog_internal.h}, {@code xlogrecord.h}.
 */
public final class WalFormat {
  /** {@code XLOG_BLCKSZ}, and {@code BLCKSZ} as well. */
  public static final int PAGE_BYTES = 8192;

  /** Of the header of all pages but a segment's first. */
  public static final int SHORT_HEADER_BYTES = 24;

  /** Of the header of a segment's first page. */
  public static final int LONG_HEADER_BYTES = 40;

  /** Of a record's fixed header. */
  public static final int RECORD_HEADER_BYTES = 24;

  /**
   * {@code MaxAllocSize}: before 16 PostgreSQL reads and writes records of up to about that; since
   * then none of more than 1020 MB is written.
   */
  static final int MAX_RECORD_BYTES = 0x3FFFFFFF;

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

  /** The length of the header of the page at {@code page}, known from its position. */
  public static int headerBytes(Lsn page, int segmentBytes) {
    return headerBytes(page.value(), segmentBytes);
  }

  /** The start of the page that holds {@code lsn}. */
  public static Lsn pageStart(Lsn lsn) {
    return new Lsn(lsn.value() & -PAGE_BYTES);
  }

  /** Where {@code lsn} lies in its page. */
  public static int offsetInPage(Lsn lsn) {
    return offsetInPage(lsn.value());
  }

  /**
   * Where the first record behind {@code end} starts: {@code end} itself, or, at a page's start,
   * behind that page's header.
   */
  public static Lsn recordStart(Lsn end, int segmentBytes) {
    return offsetInPage(end) == 0 ? end.plus(headerBytes(end, segmentBytes)) : end;
  }

  /** The position {@code bytes} of record content behind {@code lsn}, over page headers. */
  public static Lsn skip(Lsn lsn, int bytes, int segmentBytes) {
    Lsn at = lsn;
    int left = bytes;
    while (left >= PAGE_BYTES - offsetInPage(at)) {
      int step = PAGE_BYTES - offsetInPage(at);
      left -= step;
      Lsn page = at.plus(step);
      at = page.plus(headerBytes(page, segmentBytes));
    }
    return at.plus(left);
  }

  /** The file that holds {@code lsn} ({@code XLogFileName}). */
  public static String fileName(int timeline, Lsn lsn, int segmentBytes) {
    long number = Long.divideUnsigned(lsn.value(), segmentBytes);
    long perId = 0x1_0000_0000L / segmentBytes;
    return String.format(Locale.ROOT, "%08X%08X%08X", timeline, number / perId, number % perId);
  }

  static long aligned(long lsn) {
    return (lsn + 7) & -8;
  }
}
