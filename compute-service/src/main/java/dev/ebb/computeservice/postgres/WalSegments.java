package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalFormat;

/**
 * Arithmetic of WAL segments and pages. Source: {@code src/include/access/xlog_internal.h}.
 *
 * @param segmentBytes a power of two from 1 MB to 1 GB
 */
record WalSegments(int segmentBytes) {
  static final int PAGE_BYTES = WalFormat.PAGE_BYTES;
  static final int SHORT_HEADER_BYTES = WalFormat.SHORT_HEADER_BYTES;
  static final int LONG_HEADER_BYTES = WalFormat.LONG_HEADER_BYTES;

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
    return WalFormat.pageStart(lsn);
  }

  static int offsetInPage(Lsn lsn) {
    return WalFormat.offsetInPage(lsn);
  }

  /** The length of the header of the page that holds {@code lsn}. */
  int headerBytes(Lsn lsn) {
    return WalFormat.headerBytes(pageStart(lsn), segmentBytes);
  }

  /** The segment's file name: timeline, high and low part of its number. */
  String fileName(int timeline, Lsn lsn) {
    return WalFormat.fileName(timeline, lsn, segmentBytes);
  }
}
