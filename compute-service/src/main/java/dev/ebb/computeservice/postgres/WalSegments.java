package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;

/**
 * Arithmetic of WAL segments and pages. Source: {@code src/include/access/xlog_internal.h}.
 *
 * @param segmentBytes a power of two from 1 MB to 1 GB
 */
record WalSegments(int segmentBytes) {
  /** {@code XLOG_BLCKSZ}. */
  static final int PAGE_BYTES = 8192;

  /** {@code SizeOfXLogShortPHD} and {@code SizeOfXLogLongPHD}. */
  static final int SHORT_HEADER_BYTES = 24;

  static final int LONG_HEADER_BYTES = 40;

  WalSegments {
    if (Integer.bitCount(segmentBytes) != 1 || segmentBytes < 1 << 20 || segmentBytes > 1 << 30) {
      throw new IllegalArgumentException("not a WAL segment size: " + segmentBytes);
    }
  }

  Lsn segmentStart(Lsn lsn) {
    return new Lsn(lsn.value() & -segmentBytes);
  }

  int offsetInSegment(Lsn lsn) {
    return (int) (lsn.value() & (segmentBytes - 1));
  }

  static Lsn pageStart(Lsn lsn) {
    return new Lsn(lsn.value() & -PAGE_BYTES);
  }

  static int offsetInPage(Lsn lsn) {
    return (int) (lsn.value() & (PAGE_BYTES - 1));
  }

  /** The length of the header of the page that holds {@code lsn}. */
  int headerBytes(Lsn lsn) {
    return offsetInSegment(pageStart(lsn)) == 0 ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
  }

  /** The segment's file name: timeline, high and low part of its number. */
  String fileName(int timeline, Lsn lsn) {
    long number = Long.divideUnsigned(lsn.value(), segmentBytes);
    long perId = 0x1_0000_0000L / segmentBytes;
    return String.format("%08X%08X%08X", timeline, number / perId, number % perId);
  }
}
