package dev.ebb.walservice.log;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import java.nio.ByteBuffer;

/**
 * A record of a branch's topic, without its offset.
 *
 * @param lsn of the first byte; {@code Lsn.INVALID} for a fence
 * @param bytes of {@code WAL} the raw bytes; of {@code START} its fence's offset; of a fence none
 */
public record LogRecord(RecordKind kind, Term term, Lsn lsn, byte[] bytes) {
  private static final byte[] NONE = {};

  public static LogRecord fence(Term term) {
    return new LogRecord(RecordKind.FENCE, term, Lsn.INVALID, NONE);
  }

  /**
   * A start record. It names its fence, so that it cannot count behind a later fence of its own
   * term, which a producer's repetition would be.
   */
  public static LogRecord start(Term term, Lsn end, long fenceOffset) {
    byte[] bytes = ByteBuffer.allocate(Long.BYTES).putLong(fenceOffset).array();
    return new LogRecord(RecordKind.START, term, end, bytes);
  }

  public static LogRecord wal(Term term, Lsn lsn, byte[] bytes) {
    return new LogRecord(RecordKind.WAL, term, lsn, bytes);
  }

  /** Of a start record: the offset of the fence that it goes with. */
  long fenceOffset() {
    if (kind != RecordKind.START || bytes.length != Long.BYTES) {
      throw new EbbException.Corrupt(
          "not a start record: " + kind + " of " + bytes.length + " bytes");
    }
    return ByteBuffer.wrap(bytes).getLong();
  }

  /** A record at its offset. */
  public record Stored(long offset, LogRecord record) {}
}
