package dev.ebb.walservice.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** {@code LogSimulationTest} has what a fold must find in any log. */
final class LogFoldTest {
  private static final Term TERM = new Term(new Generation(1), 1);
  private static final Lsn START = new Lsn(0x100_0000);

  @Test
  void foldThatKeepsNothingStillFindsTheEnd() {
    LogFold fold = LogFold.fromBeginning(History.NOTHING);
    fold.accept(new LogRecord.Stored(0, LogRecord.fence(TERM)));
    fold.accept(new LogRecord.Stored(1, LogRecord.start(TERM, START, 0)));
    fold.accept(new LogRecord.Stored(2, LogRecord.wal(TERM, START, new byte[100])));
    // A repeated append, with more behind it.
    fold.accept(new LogRecord.Stored(3, LogRecord.wal(TERM, START, new byte[150])));
    assertThat(fold.end()).isEqualTo(START.plus(150));
    assertThat(fold.startedTerm()).isEqualTo(TERM);
  }

  /** A producer repeats requests, which have several records. */
  @Test
  void repetitionOfWhatCameBeforeTheFirstRecordReadIsNoError() {
    LogFold fold = LogFold.fromValidRecord(new HeapHistory(START));
    fold.accept(new LogRecord.Stored(5, LogRecord.wal(TERM, START.plus(100), new byte[50])));
    fold.accept(new LogRecord.Stored(6, LogRecord.wal(TERM, START, filled(100))));
    fold.accept(new LogRecord.Stored(7, LogRecord.wal(TERM, START.plus(100), new byte[50])));
    fold.accept(new LogRecord.Stored(8, LogRecord.wal(TERM, START.plus(150), new byte[50])));
    assertThat(fold.base()).isEqualTo(START.plus(100));
    assertThat(fold.end()).isEqualTo(START.plus(200));

    assertThatThrownBy(
            () -> fold.accept(new LogRecord.Stored(9, LogRecord.wal(TERM, START, filled(101)))))
        .isInstanceOf(EbbException.Corrupt.class);
  }

  private static byte[] filled(int length) {
    var bytes = new byte[length];
    Arrays.fill(bytes, (byte) 1);
    return bytes;
  }
}
