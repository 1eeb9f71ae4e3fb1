package dev.ebb.walservice.history;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalFormat;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.walservice.log.LogFold;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.RecordKind;
import dev.ebb.walservice.topic.LogTopics;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A branch's WAL as its log has it, for tools: the one true history, from where it is retained to
 * where the log ends. Read piece by piece as it is asked for; what was dropped gives its room in
 * the temporary file back. For one thread.
 *
 * <p>Bytes behind the last whole record may be overridden by what the log says later (a new
 * generation starts there): {@link #revised} tells. {@link BranchRecords} reads whole records only,
 * which stay.
 */
public final class BranchWal implements AutoCloseable {
  /** Of WAL, read from the topic at a time. */
  private static final long PIECE_BYTES = 4 << 20;

  private final LogTopics topics;
  private final BranchId branch;
  private final Duration timeout;
  private final FileHistory file;
  private final LogFold fold;

  /** Whether the first byte is where a record starts; else it may be anywhere in one. */
  private final boolean beginsAtRecord;

  private final long firstOffset;
  private final Lsn first;
  private long next;
  private long endOffset;
  private Lsn revised = Lsn.INVALID;

  /**
   * Where reading of a log may begin.
   *
   * @param offset of a record that is part of the history
   * @param lsn a position at or behind that record's first byte
   */
  public record Entry(long offset, Lsn lsn) {}

  private BranchWal(
      LogTopics topics, BranchId branch, FileHistory file, Lsn from, long hint, Duration timeout) {
    this.topics = topics;
    this.branch = branch;
    this.timeout = timeout;
    this.file = file;
    this.beginsAtRecord = hint < 0;
    this.fold = hint < 0 ? LogFold.fromBeginning(file) : LogFold.fromValidRecord(file);
    this.firstOffset = Math.max(hint, 0);
    this.next = firstOffset;
    refresh();
    while (fold.isEmpty() && pull()) {
      // There are records before the first WAL.
    }
    this.first = fold.isEmpty() ? Lsn.INVALID : Lsn.max(fold.base(), WalFormat.pageStart(from));
    this.revised = Lsn.INVALID;
  }

  /**
   * Begins to read a log.
   *
   * @param spool a directory for the temporary file
   * @param from what lies before it is not wanted
   * @param entries where reading may begin where the log's beginning is not wanted or has expired,
   *     in order
   */
  public static BranchWal open(
      LogTopics topics,
      BranchId branch,
      Path spool,
      Lsn from,
      List<Entry> entries,
      Duration timeout) {
    Entry near = null;
    for (Entry entry : entries) {
      if (entry.offset() > 0 && !entry.lsn().isAfter(from)) {
        near = entry;
      }
    }
    if (near != null) {
      return open(topics, branch, spool, from, near.offset(), timeout);
    }
    try {
      return open(topics, branch, spool, from, -1, timeout);
    } catch (EbbException.NotFound expired) {
      for (Entry entry : entries) {
        try {
          if (entry.offset() > 0) {
            return open(topics, branch, spool, from, entry.offset(), timeout);
          }
        } catch (EbbException.NotFound e) {
          expired.addSuppressed(e);
        }
      }
      throw expired;
    }
  }

  private static BranchWal open(
      LogTopics topics, BranchId branch, Path spool, Lsn from, long hint, Duration timeout) {
    var file = new FileHistory(spool, WalFormat.pageStart(from));
    try {
      return new BranchWal(topics, branch, file, from, hint, timeout);
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** The first byte that can be had; {@code Lsn.INVALID} where there is none. */
  public Lsn first() {
    return first;
  }

  /** Behind the last byte that was read so far. */
  public Lsn end() {
    return fold.end();
  }

  boolean beginsAtRecord() {
    return beginsAtRecord;
  }

  /** Sees what has been appended meanwhile. */
  public void refresh() {
    endOffset = topics.endOffset(branch, timeout);
  }

  /** Records of the topic to read in all, as of the last {@link #refresh}. */
  public long total() {
    return endOffset - firstOffset;
  }

  /** Records of the topic that were read. */
  public long done() {
    return next - firstOffset;
  }

  /** Reads on; false where the log ends. */
  public boolean pull() {
    if (next >= endOffset) {
      return false;
    }
    long[] left = {PIECE_BYTES};
    topics.read(branch, next, endOffset, stored -> take(stored, left), timeout);
    if (left[0] > 0) {
      next = endOffset;
    }
    return true;
  }

  private boolean take(LogRecord.Stored stored, long[] left) {
    fold.accept(stored);
    next = stored.offset() + 1;
    LogRecord record = stored.record();
    left[0] -= record.bytes().length;
    boolean counts = fold.lastValidOffset() == stored.offset();
    if (counts && record.kind() == RecordKind.START && isBeforeRevised(record.lsn())) {
      revised = record.lsn();
    }
    return left[0] > 0;
  }

  private boolean isBeforeRevised(Lsn lsn) {
    return !revised.isValid() || lsn.isBefore(revised);
  }

  /**
   * From where on bytes may have become others by {@link #pull}, since this was asked last; {@code
   * Lsn.INVALID} for none.
   */
  public Lsn revised() {
    Lsn since = revised;
    revised = Lsn.INVALID;
    return since;
  }

  /** Copies bytes that were read; returns how many, 0 where none are there. */
  public int read(Lsn at, byte[] target, int offset, int length) {
    Lsn kept = Lsn.max(first, file.keptFrom());
    if (!first.isValid() || at.isBefore(kept) || !at.isBefore(fold.end())) {
      return 0;
    }
    int bytes = (int) Math.min(length, fold.end().minus(at));
    file.read(at, target, offset, bytes);
    return bytes;
  }

  /** What lies before is not read any more. */
  public void drop(Lsn before) {
    file.dropBefore(WalFormat.pageStart(before));
  }

  /** The records that start at {@code from} or behind it, as far as they are retained. */
  public BranchRecords records(WalOptions options, Lsn from) {
    return new BranchRecords(this, options, from);
  }

  @Override
  public void close() {
    file.close();
  }
}
