package dev.ebb.walservice.record;

import java.util.OptionalLong;

/**
 * The times in WAL at which transactions committed and aborted.
 *
 * <p>Layouts: {@code src/include/access/xlogrecord.h} (what follows a record's header), {@code
 * src/include/access/xact.h} ({@code xl_xact_commit} and {@code xl_xact_abort}, which all begin
 * with {@code xact_time}; those of prepared transactions are the same). Which records count is as
 * in {@code getRecordTimestamp} and {@code recoveryStopsBefore} of {@code
 * src/backend/access/transam/xlogrecovery.c}: commit, abort, and both of prepared transactions.
 */
public final class TransactionEnd {
  private static final int RM_XACT = 1;
  private static final int OPERATION = 0x70;
  private static final int COMMIT = 0x00;
  private static final int ABORT = 0x20;
  private static final int COMMIT_PREPARED = 0x30;
  private static final int ABORT_PREPARED = 0x40;

  private static final int ORIGIN = 253;
  private static final int ORIGIN_BYTES = 2;
  private static final int TOP_LEVEL_TRANSACTION = 252;
  private static final int TOP_LEVEL_TRANSACTION_BYTES = 4;
  private static final int SHORT_DATA = 255;
  private static final int LONG_DATA = 254;

  /** More than everything before the time and the time itself. */
  private static final int LOOKED_AT = 40;

  /** From 1970-01-01 to 2000-01-01, where PostgreSQL's timestamps begin. */
  private static final long POSTGRES_EPOCH_MICROS = 946_684_800_000_000L;

  private TransactionEnd() {}

  /** Whether a transaction ended with this record. */
  public static boolean is(WalRecord record) {
    int operation = record.info() & OPERATION;
    return record.resourceManager() == RM_XACT
        && (operation == COMMIT
            || operation == ABORT
            || operation == COMMIT_PREPARED
            || operation == ABORT_PREPARED);
  }

  /**
   * When it did, in microseconds since 1970-01-01 UTC; empty where the record holds no time, which
   * PostgreSQL never writes.
   *
   * @param source holds the whole record
   */
  public static OptionalLong epochMicros(WalSource source, WalRecord record, int segmentBytes) {
    byte[] bytes = content(source, record, segmentBytes);
    int at = 0;
    while (at < bytes.length) {
      int id = bytes[at++] & 0xFF;
      switch (id) {
        case ORIGIN -> at += ORIGIN_BYTES;
        case TOP_LEVEL_TRANSACTION -> at += TOP_LEVEL_TRANSACTION_BYTES;
        case SHORT_DATA -> {
          return time(bytes, at + 1);
        }
        case LONG_DATA -> {
          return time(bytes, at + 4);
        }
        default -> {
          return OptionalLong.empty(); // a reference to a block: none in these records
        }
      }
    }
    return OptionalLong.empty();
  }

  private static OptionalLong time(byte[] bytes, int at) {
    return at + Long.BYTES > bytes.length
        ? OptionalLong.empty()
        : OptionalLong.of(WalPage.readLong(bytes, at) + POSTGRES_EPOCH_MICROS);
  }

  /** The first bytes behind the record's header, without page headers between them. */
  private static byte[] content(WalSource source, WalRecord record, int segmentBytes) {
    int length = Math.min(LOOKED_AT, record.totalLength() - RecordReader.HEADER_BYTES);
    var bytes = new byte[Math.max(0, length)];
    int got = 0;
    while (got < bytes.length) {
      var at = WalPage.skip(record.start(), RecordReader.HEADER_BYTES + got, segmentBytes);
      int piece = Math.min(bytes.length - got, WalPage.BYTES - WalPage.offsetIn(at));
      source.read(at, bytes, got, piece);
      got += piece;
    }
    return bytes;
  }
}
