package dev.ebb.computeservice.capture;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.wal.WalVersion;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

final class StatisticsFileTest {
  private static final int FIXED = 5_000;
  private static final int RELATION = 17 + 216;

  /** As many relations, of which one in ten has rows, and one of those changes. */
  private static byte[] file(int relations) {
    ByteBuffer file =
        ByteBuffer.allocate(FIXED + 17 + 264 + relations * RELATION + 1)
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < FIXED; i++) {
      file.put((byte) (i % 97 == 0 ? 'S' : i));
    }
    key(file, 1, 5, 0).put(new byte[264]);
    for (int i = 0; i < relations; i++) {
      int data = key(file, 2, 5, i).position();
      file.put(new byte[216]);
      file.putLong(data + 9 * 8, i % 10 == 0 ? 1 : 0);
      file.putLong(data + 10 * 8, i % 100 == 0 ? i : 0);
    }
    return file.put((byte) 'E').array();
  }

  private static ByteBuffer key(ByteBuffer file, int kind, int database, long object) {
    return file.put((byte) 'S').putInt(kind).putInt(database).putLong(object);
  }

  @Test
  void shortFileStaysAsItIs() {
    byte[] file = file(10);
    assertThat(StatisticsFile.shortened(file, WalVersion.V18, file.length)).containsSame(file);
  }

  @Test
  void longFileKeepsWhatIsNoRelationAndTheRelationsThatChanged() {
    byte[] file = file(2_000);
    byte[] kept =
        StatisticsFile.shortened(file, WalVersion.V18, FIXED + 281 + 50 * RELATION + 1)
            .orElseThrow();
    assertThat(kept).startsWith(java.util.Arrays.copyOf(file, FIXED + 281)).endsWith((byte) 'E');
    assertThat(kept.length).isBetween(FIXED + 281 + 40 * RELATION, FIXED + 281 + 50 * RELATION + 1);
    ByteBuffer fields = ByteBuffer.wrap(kept).order(ByteOrder.LITTLE_ENDIAN);
    // The most changes first.
    assertThat(fields.getLong(FIXED + 281 + 9)).isEqualTo(1_900);
    assertThat(fields.getLong(FIXED + 281 + RELATION + 9)).isEqualTo(1_800);
  }

  @Test
  void longFileThatIsNotUnderstoodIsLeftOut() {
    byte[] file = file(100);
    file[file.length - 1] = 'N';
    assertThat(StatisticsFile.shortened(file, WalVersion.V18, 10_000)).isEmpty();
  }
}
