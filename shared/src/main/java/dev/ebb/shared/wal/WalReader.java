package dev.ebb.shared.wal;

import static dev.ebb.shared.wal.WalFormat.PAGE_BYTES;
import static dev.ebb.shared.wal.WalFormat.RECORD_HEADER_BYTES;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalException.Problem;
import java.util.Arrays;
import java.util.Objects;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Finds pages and records in WAL that is pushed to it, piece by piece, from one position on without
 * a gap. Pieces may end anywhere, and a record that is not whole yet is gone on with when more
 * comes. Follows {@code XLogDecodeNextRecord} of {@code src/backend/access/transam/xlogreader.c}.
 *
 * <p>Use: {@link #next}; where it says {@link Step#MORE}, {@link #feed} from {@link #wanted} on;
 * where it says {@link Step#RECORD}, look at {@link #record} before the next call.
 *
 * <p>A record that lies whole in one page of one piece is shown where it is, others are put
 * together in memory of the reader's own, which grows with what has come of the record, and no
 * further than {@link WalOptions#keptBytes}. Not thread-safe.
 */
public final class WalReader {
  private static final int LENGTH_BYTES = 4;
  private static final int MIN_BUFFER_BYTES = 1024;

  /** A larger one is given back behind the record that needed it. */
  private static final int LASTING_BUFFER_BYTES = 1 << 20;

  private static final byte[] NONE = {};

  private final int segmentBytes;
  private final int keptBytes;
  private final boolean framesOnly;

  /** Records that start before it are read over. */
  private final long deliverFrom;

  private final PageHeader page;
  private final WalRecord record = new WalRecord();
  private final CRC32C crc = new CRC32C();
  private final byte[] header = new byte[WalFormat.LONG_HEADER_BYTES];
  private int headerGot;

  private byte[] input = new byte[0];
  private int at;
  private int limit;

  /** Of the next byte of input. */
  private long position;

  /** Bytes to read over: padding, or what comes before the first record. */
  private long skip;

  /** Whether no record's start is known yet. */
  private boolean seeking;

  private long previous;
  private long end;
  private long recordStart;

  /** Of the record that is being put together: 0 while there is none, or its length is unknown. */
  private int total;

  private int got;
  private byte[] assembled = NONE;
  private long overwritten;
  private boolean inZeroes;
  private @Nullable WalException failure;

  /** What a call of {@link #next} came to. */
  public enum Step {
    /** There is a record. */
    RECORD,
    /** The input is used up. */
    MORE,
    /**
     * Zeroes are where a page or a record should begin: the log was never written from here on. The
     * reader stays here until {@link #rewind}.
     */
    ZEROES
  }

  private WalReader(WalOptions options, long position, long deliverFrom, boolean seeking) {
    this.segmentBytes = options.segmentBytes();
    this.keptBytes = options.keptBytes();
    this.framesOnly = options.framesOnly();
    this.page = new PageHeader(segmentBytes, options.version());
    this.position = position;
    this.end = position;
    this.deliverFrom = deliverFrom;
    this.seeking = seeking;
    if (seeking && WalFormat.offsetInPage(position) != 0) {
      this.skip = (long) PAGE_BYTES - WalFormat.offsetInPage(position);
    }
  }

  /**
   * A reader from a position where a record starts, or where one ended. The page's header before it
   * need not be there.
   *
   * @param options tell the version, unless {@code start} is where a page starts or only frames are
   *     read
   * @param start where a record or a page starts; the latter with no record going on there
   * @throws IllegalArgumentException where no record can start
   */
  public static WalReader atRecord(WalOptions options, Lsn start) {
    int offset = WalFormat.offsetInPage(start.value());
    long pageStart = start.value() - offset;
    if ((offset & 7) != 0
        || (offset != 0 && offset < WalFormat.headerBytes(pageStart, options.segmentBytes()))) {
      throw new IllegalArgumentException("no record can start at " + start);
    }
    if (offset != 0 && options.version() == null && !options.framesOnly()) {
      throw new IllegalArgumentException("the version must be known to begin inside a page");
    }
    return new WalReader(options, start.value(), start.value(), false);
  }

  /**
   * A reader that shows the first record that starts at {@code from} or behind it, and those that
   * follow ({@code XLogFindNextRecord}). To find one, it has to see a page's header.
   *
   * @param first where the input begins; a page's start at or before {@code from}, if records of
   *     that page are to be found
   */
  public static WalReader seeking(WalOptions options, Lsn first, Lsn from) {
    if (from.isBefore(first)) {
      throw new IllegalArgumentException("the input begins at " + first + ", behind " + from);
    }
    return new WalReader(options, first.value(), from.value(), true);
  }

  /**
   * Checks the header of the page that a reader begins inside of, which it would not see.
   *
   * @param pageHeader the page's first bytes, as many as its header has
   */
  public WalReader inPage(byte[] pageHeader) throws WalException {
    page.read(pageHeader, 0, position - WalFormat.offsetInPage(position));
    return this;
  }

  /**
   * Says where the record before the first one is, so that the first one's link to it is checked as
   * those of all others are.
   */
  public WalReader after(Lsn previousRecord) {
    previous = previousRecord.value();
    return this;
  }

  /**
   * Gives more input: the bytes from {@link #wanted} on. They are not copied and must stay as they
   * are until the reader wants more.
   *
   * @throws IllegalStateException while there is input that has not been read
   */
  public void feed(byte[] bytes, int offset, int length) {
    if (at != limit || failure != null || inZeroes) {
      throw new IllegalStateException("more input at " + new Lsn(position) + " is not wanted");
    }
    Objects.checkFromIndexSize(offset, length, bytes.length);
    input = bytes;
    at = offset;
    limit = offset + length;
  }

  /** The position of the first byte that has not been fed yet. */
  public Lsn wanted() {
    return new Lsn(position + (limit - at));
  }

  /**
   * Forgets the input that has not been read and the record that is not whole.
   *
   * @return where to feed from: the start of that record, or where the reader stands
   */
  public Lsn rewind() {
    if (failure != null) {
      throw new IllegalStateException("the reader has failed", failure);
    }
    position = isInRecord() ? recordStart : position - headerGot;
    headerGot = 0;
    total = 0;
    got = 0;
    at = limit;
    inZeroes = false;
    return new Lsn(position);
  }

  /**
   * Goes on to the next record.
   *
   * @throws WalException where there is no WAL; asked again, it says the same
   */
  public Step next() throws WalException {
    if (failure != null) {
      throw failure;
    }
    try {
      Step step = null;
      while (step == null) {
        step = inZeroes ? Step.ZEROES : advance();
      }
      return step;
    } catch (WalException e) {
      failure = e;
      throw e;
    }
  }

  /** One step; null where there is nothing to tell of. */
  private @Nullable Step advance() throws WalException {
    if (skip > 0) {
      int step = (int) Math.min(skip, limit - at);
      consume(step);
      skip -= step;
      if (skip > 0) {
        return Step.MORE;
      }
    }
    if (headerGot > 0 || WalFormat.offsetInPage(position) == 0) {
      return turnPage();
    }
    return isInRecord() ? goOn() : begin();
  }

  private boolean isInRecord() {
    return got > 0;
  }

  private void consume(int bytes) {
    at += bytes;
    position += bytes;
  }

  private @Nullable Step turnPage() throws WalException {
    long pageStart = position - headerGot;
    int length = WalFormat.headerBytes(pageStart, segmentBytes);
    int part = Math.min(length - headerGot, limit - at);
    System.arraycopy(input, at, header, headerGot, part);
    consume(part);
    headerGot += part;
    if (headerGot < length) {
      return Step.MORE;
    }
    if (isZero(header, length)) {
      inZeroes = true;
      return Step.ZEROES;
    }
    headerGot = 0;
    page.read(header, 0, pageStart);
    if (seeking) {
      seek(PAGE_BYTES - length);
    } else if (isInRecord()) {
      checkContinuation(pageStart);
    } else if (page.isContinuation()) {
      throw new WalException(pageStart, Problem.PAGE, "a record goes on that did not start before");
    }
    return null;
  }

  private static boolean isZero(byte[] bytes, int length) {
    for (int i = 0; i < length; i++) {
      if (bytes[i] != 0) {
        return false;
      }
    }
    return true;
  }

  /** Goes behind the record that goes on in this page, as far as the page reaches. */
  private void seek(int room) {
    long rest = page.isContinuation() ? WalFormat.aligned(page.remaining()) : 0;
    // A rest that just fills the page leaves the next one to say that a record starts there.
    seeking = rest >= room;
    skip = Math.min(rest, room);
  }

  private void checkContinuation(long pageStart) throws WalException {
    if (page.overwritesContinuation()) {
      overwritten = recordStart;
      got = 0;
      total = 0;
    } else if (!page.isContinuation()) {
      throw new WalException(
          pageStart, Problem.PAGE, "the record at " + new Lsn(recordStart) + " does not go on");
    } else if (page.remaining() != total - got) {
      throw new WalException(
          pageStart,
          Problem.PAGE,
          "a record goes on for %d bytes, the one at %s has %d left"
              .formatted(page.remaining(), new Lsn(recordStart), total - got));
    }
  }

  /** Starts a record; shows it where it is if it is whole. */
  private @Nullable Step begin() throws WalException {
    int available = limit - at;
    recordStart = position;
    if (available < RECORD_HEADER_BYTES
        || PAGE_BYTES - WalFormat.offsetInPage(position) < RECORD_HEADER_BYTES) {
      return goOn();
    }
    int length = LittleEndian.integer(input, at);
    if (length == 0) {
      inZeroes = true;
      return Step.ZEROES;
    }
    checkLength(length);
    checkHeader(input, at);
    if (length > available || length > PAGE_BYTES - WalFormat.offsetInPage(position)) {
      return goOn();
    }
    crc.reset();
    crc.update(input, at + RECORD_HEADER_BYTES, length - RECORD_HEADER_BYTES);
    crc.update(input, at, WalFormat.CRC_AT);
    int from = at;
    consume(length);
    return finish(input, from, length, length);
  }

  /** Takes what there is of a record. */
  private @Nullable Step goOn() throws WalException {
    while (true) {
      int target = got < LENGTH_BYTES ? LENGTH_BYTES : Math.max(total, LENGTH_BYTES);
      if (got < RECORD_HEADER_BYTES) {
        target = Math.min(target, RECORD_HEADER_BYTES);
      }
      int room = PAGE_BYTES - WalFormat.offsetInPage(position);
      int part = Math.min(Math.min(target - got, room), limit - at);
      if (part == 0) {
        return Step.MORE;
      }
      append(part);
      if (got == LENGTH_BYTES && startsWithZeroes()) {
        return Step.ZEROES;
      }
      if (got == RECORD_HEADER_BYTES) {
        checkHeader(assembled, 0);
      }
      if (got >= RECORD_HEADER_BYTES && got == total) {
        crc.update(assembled, 0, WalFormat.CRC_AT);
        return finish(assembled, 0, total, Math.min(total, keptBytes));
      }
      if (part == room) {
        return null;
      }
    }
  }

  /** Looks at the length, which never lies across pages. */
  private boolean startsWithZeroes() throws WalException {
    total = LittleEndian.integer(assembled, 0);
    if (total == 0) {
      inZeroes = true;
      return true;
    }
    checkLength(total);
    crc.reset();
    return false;
  }

  private void append(int part) {
    int room = Math.clamp((long) keptBytes - got, 0, part);
    if (room > 0 && got + room > assembled.length) {
      int wanted = (int) Math.min(2L * (got + room), Math.min(keptBytes, total));
      assembled =
          Arrays.copyOf(assembled, Math.max(MIN_BUFFER_BYTES, Math.max(wanted, got + room)));
    }
    if (room > 0) {
      System.arraycopy(input, at, assembled, got, room);
    }
    int ofHeader = Math.clamp((long) RECORD_HEADER_BYTES - got, 0, part);
    crc.update(input, at + ofHeader, part - ofHeader);
    consume(part);
    got += part;
  }

  private void checkLength(int length) throws WalException {
    if (length < RECORD_HEADER_BYTES || length > WalFormat.MAX_RECORD_BYTES) {
      throw new WalException(
          recordStart, Problem.RECORD, "a record length of " + Integer.toUnsignedString(length));
    }
  }

  private void checkHeader(byte[] bytes, int offset) throws WalException {
    int manager = bytes[offset + WalFormat.MANAGER_AT] & 0xFF;
    if (!ResourceManager.isValid(manager, page.version())) {
      throw new WalException(recordStart, Problem.RECORD, "a resource manager " + manager);
    }
    long stated = LittleEndian.bigInteger(bytes, offset + WalFormat.PREVIOUS_AT);
    boolean linked =
        previous != 0 ? stated == previous : Long.compareUnsigned(stated, recordStart) < 0;
    if (!linked) {
      throw new WalException(
          recordStart,
          Problem.RECORD,
          "the record says that the one before it is at " + new Lsn(stated));
    }
  }

  private @Nullable Step finish(byte[] bytes, int offset, int length, int kept)
      throws WalException {
    if ((int) crc.getValue() != LittleEndian.integer(bytes, offset + WalFormat.CRC_AT)) {
      throw new WalException(recordStart, Problem.CHECKSUM, "the record fails its checksum");
    }
    end = WalFormat.aligned(position);
    if (bytes[offset + WalFormat.MANAGER_AT] == WalFormat.RM_XLOG
        && (bytes[offset + WalFormat.INFO_AT] & WalFormat.INFO_OF_MANAGER)
            == WalFormat.XLOG_SWITCH) {
      // It reaches to the end of its segment, whatever is there.
      end = (end + segmentBytes - 1) & -segmentBytes;
    }
    skip = end - position;
    previous = recordStart;
    got = 0;
    total = 0;
    record.set(bytes, offset, length, kept, recordStart, end, page.version());
    if (!framesOnly) {
      record.takeApart();
    }
    if (assembled.length > LASTING_BUFFER_BYTES) {
      assembled = NONE;
    }
    return Long.compareUnsigned(recordStart, deliverFrom) < 0 ? null : Step.RECORD;
  }

  /** The record found last; the same object each time, good until the next call of this reader. */
  public WalRecord record() {
    return record;
  }

  /** Where the record found last ends, and at first where the reader began. */
  public Lsn end() {
    return new Lsn(end);
  }

  /** Where the record starts of which only a part has come; {@link Lsn#INVALID} for none. */
  public Lsn unfinished() {
    boolean onlyZeroes = inZeroes && total == 0;
    return isInRecord() && !onlyZeroes ? new Lsn(recordStart) : Lsn.INVALID;
  }

  /**
   * Where the record started that was given up last, because the page that it should have gone on
   * in says so; {@link Lsn#INVALID} for none so far.
   */
  public Lsn overwritten() {
    return new Lsn(overwritten);
  }

  /** Of the last page whose header was seen; 0 for none so far. Unsigned. */
  public int timeline() {
    return page.timeline();
  }

  /** Of the last segment whose first page was seen; 0 for none so far. Unsigned. */
  public long systemIdentifier() {
    return page.systemIdentifier();
  }
}
