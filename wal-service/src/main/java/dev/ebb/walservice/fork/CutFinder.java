package dev.ebb.walservice.fork;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.TransactionEnd;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.walservice.record.RecordReader;
import dev.ebb.walservice.record.WalSource;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.jspecify.annotations.Nullable;

/** Finds where to cut a log, at a record's end. */
final class CutFinder {
  private CutFinder() {}

  /**
   * What the log says.
   *
   * @param cut where to cut; {@code Lsn.INVALID} where that lies before the snapshot's end
   * @param end of the last whole record
   */
  record Cut(Lsn cut, Lsn end) {}

  /**
   * Walks the records.
   *
   * @param from where the walk begins: a record's start or end
   * @param floor no cut lies before it: pages of the snapshot are as of here (storage rule 16)
   * @param at null for the end; an LSN for the end of the last commit or abort at or before it, but
   *     not before {@code floor}; a time for the end of the last record before the first commit or
   *     abort that is later than it, as {@code recoveryStopsBefore} in {@code xlogrecovery.c} does
   *     with an inclusive target
   */
  static Cut find(
      WalSource source, int segmentBytes, Lsn from, Lsn floor, @Nullable BranchPoint at) {
    var reader = new RecordReader(source, segmentBytes, from, Lsn.INVALID);
    Lsn lastEnd = floor;
    Lsn stop = Lsn.INVALID;
    Lsn before = from;
    Lsn next = from;
    while (reader.next() instanceof RecordReader.Found found) {
      WalRecord record = found.record();
      before = next;
      next = record.end();
      if (at == null || stop.isValid() || !TransactionEnd.is(record)) {
        continue;
      }
      switch (at.kind()) {
        case LSN -> {
          if (!record.end().isAfter(at.lsn())) {
            lastEnd = Lsn.max(lastEnd, record.end());
          }
        }
        case TIME -> {
          if (epochMicros(record) > at.epochMicros()) {
            // Not the record's start: that may lie behind a page header.
            stop = before;
          }
        }
      }
    }
    Lsn end = reader.position();
    Lsn cut =
        at == null
            ? end
            : switch (at.kind()) {
              case LSN -> at.lsn().isBefore(floor) ? Lsn.INVALID : lastEnd;
              case TIME -> stop.isValid() ? stop : end;
            };
    return new Cut(cut.isBefore(floor) ? Lsn.INVALID : cut, end);
  }

  private static long epochMicros(WalRecord record) {
    try {
      record.takeApart();
      return ChronoUnit.MICROS.between(Instant.EPOCH, TransactionEnd.timeOf(record));
    } catch (WalException e) {
      throw new EbbException.Corrupt(String.valueOf(e.getMessage()), e);
    }
  }
}
