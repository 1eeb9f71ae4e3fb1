package dev.ebb.walservice.history;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalCursor;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.shared.wal.WalReader;
import dev.ebb.walservice.topic.LogTopics;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A branch's WAL as its log has it, for tools: the one true history, from where it is retained to
 * where it ends at the moment. Spools what it reads in a temporary file. For one thread.
 */
public final class BranchWal implements AutoCloseable {
  private static final int PAGE_BYTES = 8192;

  private final LogTopics topics;
  private final BranchId branch;
  private final Duration timeout;
  private final BranchHistory history;

  /** Whether the first byte is where a record starts; else it may be anywhere in one. */
  private final boolean beginsAtRecord;

  private final Lsn first;
  private Lsn end;

  /**
   * Where reading of a log may begin.
   *
   * @param offset of a record that is part of the history
   * @param lsn a position at or behind that record's first byte
   */
  public record Entry(long offset, Lsn lsn) {}

  private BranchWal(
      LogTopics topics, BranchId branch, Duration timeout, BranchHistory history, boolean whole) {
    this.topics = topics;
    this.branch = branch;
    this.timeout = timeout;
    this.history = history;
    this.beginsAtRecord = whole;
    Lsn[] range = range();
    this.first = range[0];
    this.end = range[1];
  }

  /**
   * Reads a log.
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
    var history = new BranchHistory(spool, from, hint);
    try {
      return new BranchWal(topics, branch, timeout, history, hint < 0);
    } catch (RuntimeException e) {
      history.close();
      throw e;
    }
  }

  private Lsn[] range() {
    return history.use(
        topics,
        branch,
        timeout,
        source ->
            source == null
                ? new Lsn[] {Lsn.INVALID, Lsn.INVALID}
                : new Lsn[] {source.first(), source.end()});
  }

  /** The first byte that can be had; {@code Lsn.INVALID} where there is none. */
  public Lsn first() {
    return first;
  }

  /** Behind the last byte, as of the last {@link #refresh}. */
  public Lsn end() {
    return end;
  }

  /** Reads on what has been appended meanwhile. */
  public void refresh() {
    end = range()[1];
  }

  /** Copies bytes of [{@code first}, {@code end}); returns how many, 0 outside of it. */
  public int read(Lsn at, byte[] target, int offset, int length) {
    if (!first.isValid() || at.isBefore(first) || !at.isBefore(end)) {
      return 0;
    }
    int bytes = (int) Math.min(length, end.minus(at));
    history.read(at, target, offset, bytes);
    return bytes;
  }

  /** The records that start at {@code from} or behind it, as far as they are retained. */
  public WalCursor records(WalOptions options, Lsn from) {
    Lsn page = new Lsn(from.value() / PAGE_BYTES * PAGE_BYTES);
    WalReader reader;
    if (!page.isBefore(first)) {
      reader = WalReader.seeking(options, page, from);
    } else if (beginsAtRecord) {
      reader = WalReader.atRecord(options, first);
    } else {
      Lsn next = new Lsn((first.value() + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
      reader = WalReader.seeking(options, next, Lsn.max(next, from));
    }
    return new WalCursor(reader, this::read);
  }

  @Override
  public void close() {
    history.close();
  }
}
