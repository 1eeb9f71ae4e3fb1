package dev.ebb.walservice.record;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalFormat;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Positions in WAL's pages. */
public final class WalPage {
  /** XLOG_BLCKSZ of every build that Ebb uses. */
  public static final int BYTES = WalFormat.PAGE_BYTES;

  /** Bytes of the header on all pages but a segment's first. */
  public static final int SHORT_HEADER_BYTES = WalFormat.SHORT_HEADER_BYTES;

  /** Bytes of the header on a segment's first page. */
  public static final int LONG_HEADER_BYTES = WalFormat.LONG_HEADER_BYTES;

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private WalPage() {}

  /** The position of the page that holds {@code lsn}. */
  public static Lsn startOf(Lsn lsn) {
    return WalFormat.pageStart(lsn);
  }

  /** Where {@code lsn} lies in its page. */
  public static int offsetIn(Lsn lsn) {
    return WalFormat.offsetInPage(lsn);
  }

  /** The header bytes of the page at {@code page}, known from its position alone. */
  public static int headerBytes(Lsn page, int segmentBytes) {
    return WalFormat.headerBytes(page, segmentBytes);
  }

  /**
   * Where the first record behind {@code end} starts: {@code end} itself, or, at a page's start,
   * behind that page's header.
   */
  public static Lsn recordStart(Lsn end, int segmentBytes) {
    return WalFormat.recordStart(end, segmentBytes);
  }

  /** The position {@code bytes} of record content behind {@code lsn}, over page headers. */
  public static Lsn skip(Lsn lsn, int bytes, int segmentBytes) {
    return WalFormat.skip(lsn, bytes, segmentBytes);
  }

  /** A position as WAL holds it. */
  public static Lsn readLsn(byte[] bytes, int at) {
    return new Lsn((long) LONG.get(bytes, at));
  }
}
