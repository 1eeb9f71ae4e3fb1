package dev.ebb.walservice.history;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalFormat;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.shared.wal.WalReader;
import dev.ebb.shared.wal.WalRecord;

/**
 * The whole records of a branch's WAL, one after the other. A record counts when its padding is
 * there too: from then on no generation starts before its end, as the WAL sender relies on
 * (decision 15). For one thread.
 */
public final class BranchRecords {
  private static final int WINDOW_BYTES = 256 << 10;

  private final BranchWal wal;
  private final WalOptions options;
  private final Lsn from;
  private final byte[] window = new byte[WINDOW_BYTES];
  private WalReader reader;
  private Lsn end = Lsn.INVALID;
  private Lsn previous = Lsn.INVALID;

  /** Whether the reader shows a record that was not handed out yet. */
  private boolean held;

  private boolean atZeroes;

  BranchRecords(BranchWal wal, WalOptions options, Lsn from) {
    this.wal = wal;
    this.options = options;
    this.from = from;
    this.reader = begin();
  }

  private WalReader begin() {
    Lsn page = WalFormat.pageStart(from);
    if (!page.isBefore(wal.first())) {
      return WalReader.seeking(options, page, from);
    }
    if (wal.beginsAtRecord()) {
      return WalReader.atRecord(options, wal.first());
    }
    Lsn following = WalFormat.pageStart(wal.first().plus(WalFormat.PAGE_BYTES - 1));
    return WalReader.seeking(options, following, Lsn.max(following, from));
  }

  /**
   * Goes on to the next record.
   *
   * @return false where there is none yet; may be asked again after {@link BranchWal#refresh}
   * @throws WalException where the WAL is damaged
   */
  public boolean next() throws WalException {
    atZeroes = false;
    while (true) {
      if (held) {
        if (!reader.record().end().isAfter(wal.end())) {
          held = false;
          end = reader.record().end();
          previous = reader.record().start();
          return true;
        }
        if (!pull()) {
          return false;
        }
        continue;
      }
      switch (reader.next()) {
        case RECORD -> held = true;
        case ZEROES -> {
          if (!pull()) {
            reader.rewind();
            atZeroes = true;
            return false;
          }
        }
        case MORE -> {
          int bytes = wal.read(reader.wanted(), window, 0, window.length);
          if (bytes > 0) {
            reader.feed(window, 0, bytes);
          } else if (!pull()) {
            return false;
          }
        }
      }
    }
  }

  private boolean pull() {
    if (end.isValid()) {
      wal.drop(end);
    }
    if (!wal.pull()) {
      return false;
    }
    Lsn revised = wal.revised();
    if (revised.isValid() && revised.isBefore(reader.wanted())) {
      if (revised.isBefore(end)) {
        throw new EbbException.Corrupt(
            "the log is overridden from "
                + revised
                + " on, before the end of the record at "
                + previous);
      }
      reader = end.isValid() ? WalReader.atRecord(options, end).after(previous) : begin();
      held = false;
    }
    return true;
  }

  /** The record found last; good until the next one is asked for. */
  public WalRecord record() {
    return reader.record();
  }

  /** Where the record found last ends; {@code Lsn.INVALID} before the first one. */
  public Lsn end() {
    return end;
  }

  /** Whether zeroes are where the next record should be. */
  public boolean atZeroes() {
    return atZeroes;
  }

  /** Where a record starts of which only a part is in the log; {@code Lsn.INVALID} for none. */
  public Lsn unfinished() {
    return held ? reader.record().start() : reader.unfinished();
  }
}
