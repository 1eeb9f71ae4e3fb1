package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalVersion;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class WalStreamTest {
  private static final int SEGMENT = 1 << 20;
  private static final Lsn START = new Lsn(5L * SEGMENT);

  private final PgControl control =
      PgControlTest.sample(PgControl.State.IN_PRODUCTION, START.plus(40), SEGMENT);

  private WalStream stream(WalWriter wal, Lsn from) {
    return new WalStream(wal::read, WalVersion.V18, SEGMENT, from);
  }

  @Test
  void everyRecordOfAnySizeIsFoundOverPagesAndSegments() throws IOException {
    var random = new Random(7);
    var wal = new WalWriter(START, 8 * SEGMENT, control);
    List<Lsn> starts = new ArrayList<>();
    while (wal.end().minus(START) < 7L * SEGMENT) {
      starts.add(wal.add(10, 0x20, random.nextInt(random.nextInt(20) == 0 ? 300_000 : 700)));
    }
    WalStream stream = stream(wal, START);
    stream.limit(wal.end());
    for (Lsn start : starts) {
      assertThat(stream.next()).isTrue();
      assertThat(stream.record().start()).isEqualTo(start);
      assertThat(stream.record().resourceManager()).isEqualTo(10);
      assertThat(stream.record().info()).isEqualTo(0x20);
    }
    assertThat(stream.next()).isFalse();
    assertThat(stream.end()).isEqualTo(wal.end());
  }

  @Test
  void recordThatIsNotWholeBelowTheLimitComesWhenTheLimitHasPassedIt() throws IOException {
    var wal = new WalWriter(START, SEGMENT, control);
    Lsn first = wal.add(10, 0, 100);
    Lsn second = wal.add(10, 0, 20_000);
    WalStream stream = stream(wal, first);
    stream.limit(first.plus(8192));
    assertThat(stream.next()).isTrue();
    assertThat(stream.next()).isFalse();
    assertThat(stream.end()).isEqualTo(second);
    stream.limit(wal.end());
    assertThat(stream.next()).isTrue();
    assertThat(stream.record().start()).isEqualTo(second);
    assertThat(stream.end()).isEqualTo(wal.end());
  }

  @Test
  void recordLongerThanWhatIsKeptIsReadOver() throws IOException {
    var wal = new WalWriter(START, 8 * SEGMENT, control);
    Lsn huge = wal.add(21, 0, 5 << 20);
    Lsn next = wal.add(10, 0, 50);
    WalStream stream = stream(wal, huge);
    stream.limit(wal.end());
    assertThat(stream.next()).isTrue();
    assertThat(stream.record().raw().remaining()).isLessThan(stream.record().totalBytes());
    assertThat(stream.next()).isTrue();
    assertThat(stream.record().start()).isEqualTo(next);
  }

  @Test
  void damageIsToldOfRatherThanTakenForTheEnd() {
    var wal = new WalWriter(START, SEGMENT, control);
    Lsn first = wal.add(10, 0, 3_000);
    wal.add(10, 0, 100);
    wal.bytes[1_000] ^= 1;
    WalStream stream = stream(wal, first);
    stream.limit(wal.end());
    assertThatThrownBy(stream::next).isInstanceOf(EbbException.Corrupt.class);
    WalStream zeroes = stream(new WalWriter(START, SEGMENT, control), START.plus(40));
    zeroes.limit(START.plus(8192));
    assertThatThrownBy(zeroes::next).isInstanceOf(EbbException.Corrupt.class);
  }
}
