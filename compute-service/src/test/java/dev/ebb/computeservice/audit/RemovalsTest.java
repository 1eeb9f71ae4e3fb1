package dev.ebb.computeservice.audit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.postgres.PgControlTest;
import dev.ebb.computeservice.postgres.WalStream;
import dev.ebb.computeservice.postgres.WalWriter;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalVersion;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

final class RemovalsTest {
  private static final int SEGMENT = 1 << 20;
  private static final Lsn START = new Lsn(5L * SEGMENT);
  private static final int DATABASE = 16384;
  private static final int RELATION = 20000;
  private static final int MAIN = 0;

  private final WalWriter wal =
      new WalWriter(
          START,
          SEGMENT,
          PgControlTest.sample(PgControl.State.IN_PRODUCTION, START.plus(40), SEGMENT));

  private Removals read(Lsn redo) throws IOException {
    var removals =
        new Removals(
            new WalStream(wal::read, WalVersion.V18, SEGMENT, START), WalVersion.V18, redo);
    removals.readTo(wal.end());
    return removals;
  }

  /** Main data of this many 32-bit numbers, behind its short header. */
  private static byte[] main(int... numbers) {
    ByteBuffer data = ByteBuffer.allocate(2 + 4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
    data.put((byte) 255).put((byte) (4 * numbers.length));
    for (int number : numbers) {
      data.putInt(number);
    }
    return data.array();
  }

  private static boolean explain(Removals removals, int block, Lsn record) {
    return removals.explain(DATABASE, RELATION, MAIN, block, record.value());
  }

  @Test
  void commitWithSubtransactionsThatDropsExplainsWhatWasBeforeItOnly() throws IOException {
    Lsn before = wal.add(10, 0, 50);
    // time, info (database, subtransactions, relations), database and tablespace, two
    // subtransactions, one relation
    Lsn commit =
        wal.add(1, 0x80, main(1, 2, 7, DATABASE, 1663, 2, 700, 701, 1, 1663, DATABASE, RELATION));
    Lsn after = wal.add(10, 0, 50);
    Removals removals = read(START);
    assertThat(explain(removals, 5, before)).isTrue();
    assertThat(explain(removals, 5, commit)).isTrue();
    assertThat(explain(removals, 5, wal.end())).isFalse();
    assertThat(after).isLessThan(wal.end());
    assertThat(removals.explain(DATABASE, RELATION + 1, MAIN, 5, before.value())).isFalse();
  }

  @Test
  void abortAndPreparedCommitDropAsWell() throws IOException {
    Lsn before = wal.add(10, 0, 50);
    wal.add(1, 0x80 | 0x20, main(1, 2, 4, 1, 1663, DATABASE, RELATION));
    assertThat(explain(read(START), 0, before)).isTrue();
    wal.add(1, 0x80 | 0x30, main(1, 2, 4, 1, 1663, DATABASE, RELATION + 1));
    assertThat(read(START).explain(DATABASE, RELATION + 1, MAIN, 0, before.value())).isTrue();
  }

  @Test
  void truncationExplainsTheBlocksThatItCutOff() throws IOException {
    Lsn before = wal.add(10, 0, 50);
    wal.add(2, 0x20, main(10, 1663, DATABASE, RELATION, 3));
    wal.add(2, 0x20, main(20, 1663, DATABASE, RELATION, 1));
    Removals removals = read(START);
    assertThat(explain(removals, 9, before)).isFalse();
    assertThat(explain(removals, 10, before)).isTrue();
    assertThat(removals.explain(DATABASE, RELATION, 2, 0, before.value())).isTrue();
  }

  @Test
  void droppedDatabaseExplainsItsBlocks() throws IOException {
    Lsn before = wal.add(10, 0, 50);
    wal.add(4, 0x20, main(DATABASE, 1, 1663));
    assertThat(explain(read(START), 3, before)).isTrue();
  }

  /** It has no second way to make a database, which took the drop's number in 15. */
  @Test
  void droppedDatabaseOf14ExplainsItsBlocks() throws IOException {
    var old =
        new WalWriter(
            START,
            SEGMENT,
            PgControlTest.sample(
                WalVersion.V14, PgControl.State.IN_PRODUCTION, START.plus(40), SEGMENT));
    Lsn before = old.add(10, 0, 50);
    old.add(4, 0x10, main(DATABASE, 1, 1663));
    var removals =
        new Removals(
            new WalStream(old::read, WalVersion.V14, SEGMENT, START), WalVersion.V14, START);
    removals.readTo(old.end());
    assertThat(explain(removals, 3, before)).isTrue();
    assertThat(removals.copiedFiles()).isFalse();
  }

  @Test
  void databaseMadeByCopyingFilesCountsBehindRedoOnly() throws IOException {
    wal.add(4, 0x00, main(DATABASE, 1663, 1, 1663));
    Lsn redo = wal.add(0, 0xE0, 4);
    assertThat(read(redo).copiedFiles()).isFalse();
    wal.add(4, 0x00, main(DATABASE, 1663, 1, 1663));
    assertThat(read(redo).copiedFiles()).isTrue();
  }
}
