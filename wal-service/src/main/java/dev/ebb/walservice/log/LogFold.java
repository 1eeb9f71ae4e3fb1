package dev.ebb.walservice.log;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.record.WalSource;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What a topic's records say, read in order: the one history of a branch. The rules, the same for
 * every reader:
 *
 * <ul>
 *   <li>A fence whose generation is not below the present term's begins its term, even one that
 *       repeats the present term's.
 *   <li>Records of another term than the present one do not exist.
 *   <li>A start record that names the present term's fence sets the end of the history; what lay
 *       behind is overridden.
 *   <li>WAL counts behind its term's start record only. It begins at the end, or repeats bytes of
 *       its own term that are equal.
 * </ul>
 *
 * Anything else is {@code Corrupt}: a gap, or a repetition that differs. Not thread-safe.
 */
public final class LogFold {
  private static final int COMPARED_AT_ONCE = 1 << 16;

  private final History history;
  private boolean trustsFirst;
  private @Nullable Term term;
  private @Nullable Term startedTerm;
  private long fenceOffset = -1;
  private boolean started;
  private Lsn startLsn = Lsn.INVALID;
  private Lsn base = Lsn.INVALID;
  private Lsn end = Lsn.INVALID;
  private long lastOffset = -1;
  private long lastValidOffset = -1;

  private LogFold(History history, boolean trustsFirst) {
    this.history = history;
    this.trustsFirst = trustsFirst;
  }

  /** A fold of a whole topic. */
  public static LogFold fromBeginning(History history) {
    return new LogFold(history, false);
  }

  /** A fold from a record on that is known to be valid, as one that was acknowledged is. */
  public static LogFold fromValidRecord(History history) {
    return new LogFold(history, true);
  }

  /** The term of the newest fence; null before the first one. */
  public @Nullable Term term() {
    return term;
  }

  /** The term whose start record counted last; null before the first one. */
  public @Nullable Term startedTerm() {
    return startedTerm;
  }

  /** Whether the present term's start record was seen. */
  public boolean started() {
    return started;
  }

  /** Whether there is any history. */
  public boolean isEmpty() {
    return !base.isValid();
  }

  /** Where the history that was read begins; {@code Lsn.INVALID} while it is empty. */
  public Lsn base() {
    return base;
  }

  /** Behind the last byte of the history; {@code Lsn.INVALID} while it is empty. */
  public Lsn end() {
    return end;
  }

  /** The newest record that is part of the history, -1 for none. */
  public long lastValidOffset() {
    return lastValidOffset;
  }

  /** The newest record read, -1 for none. */
  public long lastOffset() {
    return lastOffset;
  }

  /** Takes the next record of the topic. */
  public void accept(LogRecord.Stored stored) {
    if (stored.offset() <= lastOffset) {
      throw new IllegalArgumentException(
          "record " + stored.offset() + " comes behind record " + lastOffset);
    }
    lastOffset = stored.offset();
    LogRecord record = stored.record();
    boolean counts =
        switch (record.kind()) {
          case FENCE -> {
            fence(record.term());
            yield false;
          }
          case START -> isPresent(record) && start(record);
          case WAL -> isPresent(record) && wal(stored);
        };
    if (counts) {
      lastValidOffset = stored.offset();
    }
  }

  private void fence(Term fenced) {
    trustsFirst = false;
    if (term == null || fenced.generation().compareTo(term.generation()) >= 0) {
      term = fenced;
      fenceOffset = lastOffset;
      started = false;
    }
  }

  private boolean isPresent(LogRecord record) {
    if (trustsFirst) {
      trustsFirst = false;
      term = record.term();
      if (record.kind() == RecordKind.WAL) {
        started = true;
        startedTerm = record.term();
        // Where the term started is not known: not behind this.
        startLsn = Lsn.INVALID;
        base = end = record.lsn();
      } else {
        fenceOffset = record.fenceOffset();
      }
    }
    return record.term().equals(term);
  }

  private boolean start(LogRecord record) {
    if (record.fenceOffset() != fenceOffset) {
      return false;
    }
    if (started) {
      if (!record.lsn().equals(startLsn)) {
        throw new EbbException.Corrupt(
            "term " + term + " starts twice: " + startLsn + " and " + record.lsn());
      }
      return true;
    }
    if (isEmpty() || record.lsn().isBefore(base)) {
      base = record.lsn();
    } else if (record.lsn().isAfter(end)) {
      throw new EbbException.Corrupt(
          "term " + term + " starts at " + record.lsn() + ", but the log ends at " + end);
    }
    started = true;
    startedTerm = record.term();
    startLsn = end = record.lsn();
    return true;
  }

  private boolean wal(LogRecord.Stored stored) {
    if (!started) {
      return false;
    }
    LogRecord record = stored.record();
    if (record.lsn().isAfter(end)) {
      throw new EbbException.Corrupt(
          "a gap in the log: record "
              + stored.offset()
              + " begins at "
              + record.lsn()
              + ", but the log ends at "
              + end);
    }
    if (record.lsn().isBefore(startLsn)) {
      throw new EbbException.Corrupt(
          "record "
              + stored.offset()
              + " begins at "
              + record.lsn()
              + ", before its term's start at "
              + startLsn);
    }
    int length = record.bytes().length;
    int repeated = (int) Math.min(length, end.minus(record.lsn()));
    if (!sameAsHistory(record.lsn(), record.bytes(), repeated)) {
      throw new EbbException.Corrupt(
          "record "
              + stored.offset()
              + " repeats the WAL from "
              + record.lsn()
              + " with other bytes");
    }
    keep(end, record.bytes(), repeated, length - repeated);
    end = end.plus(length - repeated);
    return true;
  }

  /** Compares with the history, as far as its bytes are kept. */
  private boolean sameAsHistory(Lsn at, byte[] bytes, int length) {
    long dropped = Math.max(0, Lsn.max(Lsn.max(history.keptFrom(), base), at).minus(at));
    var ours = new byte[(int) Math.min(COMPARED_AT_ONCE, Math.max(0, length - dropped))];
    for (long from = dropped; from < length; from += ours.length) {
      int n = (int) Math.min(ours.length, length - from);
      history.read(at.plus(from), ours, 0, n);
      if (!Arrays.equals(ours, 0, n, bytes, (int) from, (int) from + n)) {
        return false;
      }
    }
    return true;
  }

  private void keep(Lsn at, byte[] bytes, int offset, int length) {
    long dropped = Math.max(0, Lsn.max(history.keptFrom(), at).minus(at));
    if (dropped < length) {
      history.write(at.plus(dropped), bytes, offset + (int) dropped, length - (int) dropped);
    }
  }

  /** The kept part of the history as WAL. */
  public WalSource source() {
    return new WalSource() {
      @Override
      public Lsn first() {
        return Lsn.max(base, history.keptFrom());
      }

      @Override
      public Lsn end() {
        return end;
      }

      @Override
      public void read(Lsn at, byte[] into, int offset, int length) {
        if (at.isBefore(first()) || length > end.minus(at)) {
          throw new IllegalArgumentException(
              "not in the history: " + at + " and " + length + " bytes");
        }
        history.read(at, into, offset, length);
      }
    };
  }
}
