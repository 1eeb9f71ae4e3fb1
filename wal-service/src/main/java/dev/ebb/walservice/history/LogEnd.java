package dev.ebb.walservice.history;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.LogFold;
import dev.ebb.walservice.record.RecordReader;
import dev.ebb.walservice.record.WalPage;

/**
 * Where a log ends for a new primary: behind the last complete record of an unbroken chain.
 *
 * @param end E: where the new generation starts
 * @param lastRecord the start of the record before it; {@code Lsn.INVALID} for unknown
 * @param overlapFrom where {@code overlap} begins
 * @param overlap the last bytes before E that the log has, for comparison with what the new primary
 *     has there; may be empty
 */
public record LogEnd(Lsn end, Lsn lastRecord, Lsn overlapFrom, byte[] overlap) {
  private static final byte[] NONE = {};

  /** The end of a log that was closed cleanly behind a checkpoint record. */
  public static LogEnd closed(Lsn end, Lsn checkpoint) {
    return new LogEnd(end, checkpoint, end, NONE);
  }

  /**
   * Walks the chain of records. Crash recovery has no such check: it takes a short tail for the
   * whole log and opens.
   *
   * @param from where the chain begins: a record's start, a record's end, or a page's start
   * @param previous the record before it; {@code Lsn.INVALID} for unknown
   * @param floor the log must reach it
   * @param nothingWritten whether the log may be empty: then it ends at {@code floor}
   */
  public static LogEnd find(
      LogFold fold, Lsn redo, Lsn previous, Lsn floor, int segmentBytes, boolean nothingWritten) {
    if (fold.isEmpty()) {
      if (nothingWritten) {
        return new LogEnd(floor, Lsn.INVALID, floor, NONE);
      }
      throw new EbbException.Corrupt("the log is empty, but must reach " + floor);
    }
    if (fold.base().isAfter(floor)) {
      throw new EbbException.Corrupt(
          "the log begins at " + fold.base() + ", behind the snapshot's end " + floor);
    }
    // A branch's first log begins at the end of the snapshot that it was made from.
    Lsn from = Lsn.max(redo, fold.base());
    if (from.isAfter(fold.end())) {
      throw new EbbException.Corrupt(
          "the log ends at " + fold.end() + ", before the start of redo " + redo);
    }
    var reader =
        new RecordReader(
            fold.source(), segmentBytes, from, from.equals(redo) ? previous : Lsn.INVALID);
    while (true) {
      if (reader.next() instanceof RecordReader.End end) {
        if (end.at().isBefore(floor)) {
          throw new EbbException.Corrupt(
              "the chain of records from "
                  + from
                  + " breaks at "
                  + end.at()
                  + " ("
                  + end.why()
                  + "), but must reach "
                  + floor);
        }
        Lsn overlapFrom = overlapFrom(from, end.at());
        return new LogEnd(
            end.at(), reader.previous(), overlapFrom, overlap(fold, overlapFrom, end.at()));
      }
    }
  }

  /** Not before {@code from}: what lies there is not laid out for the new primary. */
  private static Lsn overlapFrom(Lsn from, Lsn end) {
    return Lsn.max(from, WalPage.startOf(end));
  }

  private static byte[] overlap(LogFold fold, Lsn from, Lsn end) {
    var bytes = new byte[(int) Math.max(0, end.minus(from))];
    fold.source().read(from, bytes, 0, bytes.length);
    return bytes;
  }
}
