package dev.ebb.walservice.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
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
}
