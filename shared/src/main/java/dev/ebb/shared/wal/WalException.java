package dev.ebb.shared.wal;

import dev.ebb.shared.model.Lsn;

/**
 * Bytes that are no WAL: the only thing that the decoder throws because of its input. Whether it is
 * damage or merely the end of the log (recycled segments hold older WAL) only the caller can know,
 * who knows how far the log goes.
 */
public final class WalException extends Exception {
  private static final long serialVersionUID = 1L;

  private final long at;
  private final Problem problem;

  /** What kind of thing is wrong. */
  public enum Problem {
    /** A page's header. */
    PAGE,
    /** A record's header: its length, resource manager or link to the record before it. */
    RECORD,
    /** A record's CRC-32C. */
    CHECKSUM,
    /** The inside of a record whose checksum is right. */
    CONTENT,
    /** A part of a record that was longer than what the reader was allowed to keep. */
    NOT_KEPT
  }

  WalException(long at, Problem problem, String what) {
    super("WAL at " + new Lsn(at) + ": " + what);
    this.at = at;
    this.problem = problem;
  }

  /** The page or record that is wrong. */
  public Lsn at() {
    return new Lsn(at);
  }

  public Problem problem() {
    return problem;
  }
}
