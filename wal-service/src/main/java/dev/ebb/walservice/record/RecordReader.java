package dev.ebb.walservice.record;

import static dev.ebb.walservice.record.WalPage.BYTES;

import dev.ebb.shared.model.Lsn;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Walks the chain of records from a known record boundary to the first position where no complete,
 * valid record is. Follows the order of checks of {@code XLogDecodeNextRecord} in {@code
 * src/backend/access/transam/xlogreader.c}. Every step moves forward and is bounded by the source's
 * end, whatever the bytes are. Not thread-safe.
 */
public final class RecordReader {
  static final int HEADER_BYTES = 24;
  private static final int CRC_AT = 20;

  /** PostgreSQL never allocates 1 GB or more for a record (MaxAllocSize). */
  private static final int MAX_RECORD_BYTES = 0x3FFFFFFF;

  private static final int RM_XLOG = 0;
  private static final int XLOG_SWITCH = 0x40;
  private static final int INFO_OF_MANAGER = 0xF0;

  private final WalSource source;
  private final int segmentBytes;
  private final byte[] page = new byte[BYTES];
  private final byte[] header = new byte[HEADER_BYTES];
  private Lsn loadedPage = new Lsn(-1);
  private int pageBytes;
  private Lsn position;
  private Lsn previous;

  /** What the next step of the walk found. */
  public sealed interface Step {}

  /** A valid record. */
  public record Found(WalRecord record) implements Step {}

  /**
   * No valid record starts at {@code at}.
   *
   * @param why in words, for logs
   */
  public record End(Lsn at, String why) implements Step {}

  private sealed interface Attempt {}

  private record Whole(WalRecord record) implements Attempt {}

  private record Broken(String why) implements Attempt {}

  private record Overwritten(Lsn page) implements Attempt {}

  /**
   * A walk from {@code start}: a record's start, a record's end, or a page's start.
   *
   * @param previous the record before it, or {@code Lsn.INVALID} for unknown
   */
  public RecordReader(WalSource source, int segmentBytes, Lsn start, Lsn previous) {
    if (Integer.bitCount(segmentBytes) != 1 || segmentBytes < 1 << 20 || segmentBytes > 1 << 30) {
      throw new IllegalArgumentException("not a WAL segment size: " + segmentBytes);
    }
    this.source = source;
    this.segmentBytes = segmentBytes;
    this.position = start;
    this.previous = previous;
  }

  /** The end of the last record found, at first the start of the walk. */
  public Lsn position() {
    return position;
  }

  /** The start of the last record found, at first what the walk was given. */
  public Lsn previous() {
    return previous;
  }

  /** The next record, or why there is none; asked again at the end it says the same. */
  public Step next() {
    Lsn at = position;
    while (true) {
      switch (recordAt(at)) {
        case Whole whole -> {
          position = whole.record().end();
          previous = whole.record().start();
          return new Found(whole.record());
        }
        case Broken broken -> {
          return new End(position, broken.why());
        }
        case Overwritten overwritten -> at = overwritten.page();
      }
    }
  }

  private Attempt recordAt(Lsn at) {
    String wrong = load(WalPage.startOf(at));
    if (!wrong.isEmpty()) {
      return new Broken(wrong);
    }
    Lsn start = WalPage.recordStart(at, segmentBytes);
    int offset = WalPage.offsetIn(start);
    int pageHeader = WalPage.headerBytes(loadedPage, segmentBytes);
    if (offset < pageHeader || (offset & 7) != 0) {
      return new Broken("no record can start at " + start);
    }
    if (offset == pageHeader
        && headerKnown()
        && (WalPage.flags(page) & WalPage.FIRST_IS_CONTRECORD) != 0) {
      return new Broken("the page at " + loadedPage + " goes on with another record");
    }
    if (pageBytes < offset + 4) {
      return new Broken("the log ends here");
    }
    int length = WalPage.readInt(page, offset);
    if (length == 0) {
      return new Broken("zeroes");
    }
    if (length < HEADER_BYTES || length > MAX_RECORD_BYTES) {
      return new Broken("a record length of " + Integer.toUnsignedString(length));
    }
    if (source.end().minus(start) < length) {
      return new Broken("the log ends inside the record");
    }
    return assemble(start, length);
  }

  private Attempt assemble(Lsn start, int length) {
    var crc = new CRC32C();
    int got = 0;
    int offset = WalPage.offsetIn(start);
    while (true) {
      int piece = Math.min(length - got, BYTES - offset);
      if (pageBytes < offset + piece) {
        return new Broken("the log ends inside the record");
      }
      int ofHeader = Math.clamp((long) HEADER_BYTES - got, 0, piece);
      System.arraycopy(page, offset, header, Math.min(got, HEADER_BYTES), ofHeader);
      crc.update(page, offset + ofHeader, piece - ofHeader);
      boolean headerComplete = got < HEADER_BYTES && got + piece >= HEADER_BYTES;
      got += piece;
      offset += piece;
      if (headerComplete) {
        String wrong = checkPrevious(start);
        if (!wrong.isEmpty()) {
          return new Broken(wrong);
        }
      }
      if (got == length) {
        return finish(start, loadedPage.plus((offset + 7) & -8), length, crc);
      }
      Attempt broken = turnPage(length - got);
      if (broken != null) {
        return broken;
      }
      offset = WalPage.headerBytes(loadedPage, segmentBytes);
    }
  }

  /** Loads the page that goes on with the record; null where it does. */
  private @Nullable Attempt turnPage(int remaining) {
    String wrong = load(loadedPage.plus(BYTES));
    if (!wrong.isEmpty()) {
      return new Broken(wrong);
    }
    int flags = WalPage.flags(page);
    if ((flags & WalPage.FIRST_IS_OVERWRITE_CONTRECORD) != 0) {
      return new Overwritten(loadedPage);
    }
    if ((flags & WalPage.FIRST_IS_CONTRECORD) == 0) {
      return new Broken("the page at " + loadedPage + " does not go on with the record");
    }
    if (WalPage.remainingLength(page) != remaining) {
      return new Broken("the page at " + loadedPage + " goes on with a record of another length");
    }
    return null;
  }

  private String checkPrevious(Lsn start) {
    var stated = new Lsn(WalPage.readLong(header, 8));
    if (previous.isValid() ? !stated.equals(previous) : !stated.isBefore(start)) {
      return "the record at " + start + " says that " + stated + " is before it";
    }
    return "";
  }

  private Attempt finish(Lsn start, Lsn alignedEnd, int length, CRC32C crc) {
    crc.update(header, 0, CRC_AT);
    if ((int) crc.getValue() != WalPage.readInt(header, CRC_AT)) {
      return new Broken("the record at " + start + " fails its checksum");
    }
    int info = header[16] & 0xFF;
    int manager = header[17] & 0xFF;
    Lsn end = alignedEnd;
    if (manager == RM_XLOG && (info & INFO_OF_MANAGER) == XLOG_SWITCH) {
      long last = end.value() + segmentBytes - 1;
      end = new Lsn(last - (last & (segmentBytes - 1)));
    }
    // The padding behind a record (8 bytes at most, or the rest of a switched segment) belongs to
    // it: a log that ends inside cannot be gone on with at the record's end.
    if (end.isAfter(source.end())) {
      return new Broken("the log ends inside the record's padding");
    }
    return new Whole(
        new WalRecord(
            start,
            end,
            new Lsn(WalPage.readLong(header, 8)),
            length,
            WalPage.readInt(header, 4),
            manager,
            info));
  }

  private boolean headerKnown() {
    return !source.first().isAfter(loadedPage);
  }

  /** Loads and checks a page; says what is wrong, or an empty string. */
  private String load(Lsn at) {
    if (at.equals(loadedPage)) {
      return "";
    }
    Lsn from = Lsn.max(at, source.first());
    long available = Math.min(source.end().minus(from), at.plus(BYTES).minus(from));
    if (available <= 0) {
      return "the log ends here";
    }
    int skipped = (int) from.minus(at);
    source.read(from, page, skipped, (int) available);
    loadedPage = at;
    pageBytes = skipped + (int) available;
    String wrong = headerKnown() ? WalPage.check(page, pageBytes, at, segmentBytes) : "";
    if (!wrong.isEmpty()) {
      loadedPage = new Lsn(-1);
    }
    return wrong;
  }
}
