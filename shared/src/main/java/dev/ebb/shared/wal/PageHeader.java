package dev.ebb.shared.wal;

import static dev.ebb.shared.wal.WalFormat.LONG_HEADER_BYTES;
import static dev.ebb.shared.wal.WalFormat.PAGE_BYTES;

import dev.ebb.shared.model.Lsn;
import org.jspecify.annotations.Nullable;

/**
 * The header of the page that a reader is in, read again for each page. What is checked is what
 * {@code XLogReaderValidatePageHeader} of {@code xlogreader.c} checks, and that a header is long
 * exactly where a segment starts.
 */
final class PageHeader {
  /** {@code XLP_FIRST_IS_CONTRECORD}: the page begins with the rest of a record. */
  private static final int FIRST_IS_CONTRECORD = 0x0001;

  private static final int LONG_HEADER = 0x0002;

  /**
   * {@code XLP_FIRST_IS_OVERWRITE_CONTRECORD}: the record that should go on here never will; a
   * crash recovery gave it up.
   */
  private static final int FIRST_IS_OVERWRITE_CONTRECORD = 0x0008;

  private static final int ALL_FLAGS = 0x000F;

  private final int segmentBytes;
  private @Nullable WalVersion version;
  private int flags;
  private int remaining;
  private int timeline;
  private long systemIdentifier;

  PageHeader(int segmentBytes, @Nullable WalVersion version) {
    this.segmentBytes = segmentBytes;
    this.version = version;
  }

  /** Reads and checks the header of the page at {@code lsn}. */
  void read(byte[] bytes, int at, long lsn) throws WalException {
    int magic = LittleEndian.unsignedShort(bytes, at);
    WalVersion found = WalVersion.ofPageMagic(magic);
    if (found == null) {
      throw wrong(lsn, String.format("page magic %04X is of no PostgreSQL from 14 to 18", magic));
    }
    if (version != null && version != found) {
      throw wrong(lsn, "a page of PostgreSQL " + found.major() + " among " + version.major());
    }
    flags = LittleEndian.unsignedShort(bytes, at + 2);
    if ((flags & ~ALL_FLAGS) != 0) {
      throw wrong(lsn, String.format("page flags %04X", flags));
    }
    boolean isLong = (flags & LONG_HEADER) != 0;
    if (isLong != (WalFormat.headerBytes(lsn, segmentBytes) == LONG_HEADER_BYTES)) {
      throw wrong(lsn, isLong ? "a long page header inside a segment" : "no long page header");
    }
    long stated = LittleEndian.bigInteger(bytes, at + 8);
    if (stated != lsn) {
      throw wrong(lsn, "the page says that it is at " + new Lsn(stated));
    }
    if (isLong) {
      readLong(bytes, at, lsn);
    }
    int itsTimeline = LittleEndian.integer(bytes, at + 4);
    if (itsTimeline == 0 || Integer.compareUnsigned(itsTimeline, timeline) < 0) {
      throw wrong(
          lsn,
          "timeline %s after %s"
              .formatted(
                  Integer.toUnsignedString(itsTimeline), Integer.toUnsignedString(timeline)));
    }
    timeline = itsTimeline;
    version = found;
    remaining = LittleEndian.integer(bytes, at + 16);
    if (isContinuation() && (remaining <= 0 || remaining > WalFormat.MAX_RECORD_BYTES)) {
      throw wrong(lsn, "a record goes on for " + Integer.toUnsignedString(remaining) + " bytes");
    }
  }

  private void readLong(byte[] bytes, int at, long lsn) throws WalException {
    int segment = LittleEndian.integer(bytes, at + 32);
    int page = LittleEndian.integer(bytes, at + 36);
    if (segment != segmentBytes || page != PAGE_BYTES) {
      throw wrong(
          lsn,
          "segments of %s bytes and pages of %s"
              .formatted(Integer.toUnsignedString(segment), Integer.toUnsignedString(page)));
    }
    systemIdentifier = LittleEndian.bigInteger(bytes, at + 24);
  }

  private static WalException wrong(long lsn, String what) {
    return new WalException(lsn, WalException.Problem.PAGE, what);
  }

  @Nullable WalVersion version() {
    return version;
  }

  boolean isContinuation() {
    return (flags & FIRST_IS_CONTRECORD) != 0;
  }

  boolean overwritesContinuation() {
    return (flags & FIRST_IS_OVERWRITE_CONTRECORD) != 0;
  }

  /** How many bytes of the record that goes on here are left from this page on. */
  int remaining() {
    return remaining;
  }

  int timeline() {
    return timeline;
  }

  long systemIdentifier() {
    return systemIdentifier;
  }
}
