package dev.ebb.walservice.history;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.HeapHistory;
import dev.ebb.walservice.log.LogFold;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.LogRecord.Stored;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.record.WalPages;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class LogEndTest {
  private static final Lsn FIRST = new Lsn(WalPages.SEGMENT);
  private static final Term TERM = new Term(new Generation(1), 7);

  private final WalPages wal = new WalPages(FIRST);

  private LogEnd find(Lsn redo) {
    LogFold fold = LogFold.fromBeginning(new HeapHistory(FIRST));
    fold.accept(new Stored(0, LogRecord.fence(TERM)));
    fold.accept(new Stored(1, LogRecord.start(TERM, FIRST, 0)));
    fold.accept(new Stored(2, LogRecord.wal(TERM, FIRST, wal.bytes())));
    return LogEnd.find(fold, redo, Lsn.INVALID, redo, WalPages.SEGMENT, false);
  }

  /** A primary is laid from redo on: what lies before it in the page is zeroes there. */
  @Test
  void comparesNothingBeforeRedo() {
    wal.add(100);
    Lsn redo = wal.add(120);
    Lsn last = wal.add(140);
    LogEnd end = find(redo);
    assertThat(end.end()).isEqualTo(wal.end());
    assertThat(end.lastRecord()).isEqualTo(last);
    assertThat(end.overlapFrom()).isEqualTo(redo);
    assertThat(end.overlap()).isEqualTo(bytesFrom(redo));
  }

  @Test
  void comparesTheLastPage() {
    Lsn redo = wal.add(100);
    wal.add(20_000);
    LogEnd end = find(redo);
    assertThat(end.overlapFrom().value() % 8192).isZero();
    assertThat(end.overlap()).hasSizeBetween(1, 8191).isEqualTo(bytesFrom(end.overlapFrom()));
  }

  private byte[] bytesFrom(Lsn lsn) {
    return Arrays.copyOfRange(wal.bytes(), (int) lsn.minus(FIRST), wal.bytes().length);
  }
}
