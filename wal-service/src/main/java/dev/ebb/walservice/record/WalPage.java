package dev.ebb.walservice.record;

import dev.ebb.shared.model.Lsn;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Map;

/**
 * The layout of a WAL page and its header ({@code src/include/access/xlog_internal.h}). PostgreSQL
 * writes in the machine's byte order; Ebb runs on little-endian machines only.
 */
public final class WalPage {
  /** XLOG_BLCKSZ of every build that Ebb uses. */
  public static final int BYTES = 8192;

  /** Bytes of the header on all pages but a segment's first. */
  public static final int SHORT_HEADER_BYTES = 24;

  /** Bytes of the header on a segment's first page. */
  public static final int LONG_HEADER_BYTES = 40;

  /** The page begins with the rest of a record. */
  static final int FIRST_IS_CONTRECORD = 0x0001;

  static final int LONG_HEADER = 0x0002;

  /** The record that should go on here never will: it was given up by a crash recovery. */
  static final int FIRST_IS_OVERWRITE_CONTRECORD = 0x0008;

  private static final int ALL_FLAGS = 0x000F;
  private static final int TIMELINE = 1;

  /** XLOG_PAGE_MAGIC by major version. */
  private static final Map<Integer, Integer> VERSION_BY_MAGIC =
      Map.of(0xD10D, 14, 0xD110, 15, 0xD113, 16, 0xD116, 17, 0xD118, 18);

  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private WalPage() {}

  /** The position of the page that holds {@code lsn}. */
  public static Lsn startOf(Lsn lsn) {
    return new Lsn(lsn.value() & -BYTES);
  }

  /** Where {@code lsn} lies in its page. */
  public static int offsetIn(Lsn lsn) {
    return (int) (lsn.value() & (BYTES - 1));
  }

  /** The header bytes of the page at {@code page}, known from its position alone. */
  public static int headerBytes(Lsn page, int segmentBytes) {
    return (page.value() & (segmentBytes - 1)) == 0 ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
  }

  /**
   * Where the first record behind {@code end} starts: {@code end} itself, or, at a page's start,
   * behind that page's header.
   */
  public static Lsn recordStart(Lsn end, int segmentBytes) {
    return offsetIn(end) == 0 ? end.plus(headerBytes(end, segmentBytes)) : end;
  }

  /** The position {@code bytes} of record content behind {@code lsn}, over page headers. */
  public static Lsn skip(Lsn lsn, int bytes, int segmentBytes) {
    Lsn at = lsn;
    int left = bytes;
    while (left >= BYTES - offsetIn(at)) {
      int step = BYTES - offsetIn(at);
      left -= step;
      Lsn page = at.plus(step);
      at = page.plus(headerBytes(page, segmentBytes));
    }
    return at.plus(left);
  }

  static int readUnsignedShort(byte[] bytes, int at) {
    return (short) SHORT.get(bytes, at) & 0xFFFF;
  }

  static int readInt(byte[] bytes, int at) {
    return (int) INT.get(bytes, at);
  }

  static long readLong(byte[] bytes, int at) {
    return (long) LONG.get(bytes, at);
  }

  /** A position as WAL holds it. */
  public static Lsn readLsn(byte[] bytes, int at) {
    return new Lsn(readLong(bytes, at));
  }

  static int flags(byte[] page) {
    return readUnsignedShort(page, 2);
  }

  static int remainingLength(byte[] page) {
    return readInt(page, 16);
  }

  /**
   * What is wrong with a page's header; an empty string where nothing is.
   *
   * @param page its bytes from its start
   * @param length how many of them are there
   */
  static String check(byte[] page, int length, Lsn at, int segmentBytes) {
    int header = headerBytes(at, segmentBytes);
    if (length < header) {
      return "the page header is cut off";
    }
    int magic = readUnsignedShort(page, 0);
    if (!VERSION_BY_MAGIC.containsKey(magic)) {
      return String.format("page magic %04X is of no PostgreSQL from 14 to 18", magic);
    }
    int flags = flags(page);
    if ((flags & ~ALL_FLAGS) != 0) {
      return String.format("unknown page flags %04X", flags);
    }
    if (((flags & LONG_HEADER) != 0) != (header == LONG_HEADER_BYTES)) {
      return "a long page header where a short one belongs, or the reverse";
    }
    if (readInt(page, 4) != TIMELINE) {
      return "the page is of timeline " + Integer.toUnsignedString(readInt(page, 4));
    }
    if (readLong(page, 8) != at.value()) {
      return "the page says that it is at " + new Lsn(readLong(page, 8));
    }
    if (header == LONG_HEADER_BYTES
        && (readInt(page, 32) != segmentBytes || readInt(page, 36) != BYTES)) {
      return "the segment's sizes differ: "
          + Integer.toUnsignedString(readInt(page, 32))
          + " and "
          + Integer.toUnsignedString(readInt(page, 36));
    }
    return "";
  }
}
