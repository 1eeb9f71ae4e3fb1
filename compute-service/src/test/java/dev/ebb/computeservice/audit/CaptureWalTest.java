package dev.ebb.computeservice.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** WAL that is partly in {@code pg_wal} and partly in the log only. */
final class CaptureWalTest {
  private static final int SEGMENT = 1 << 20;
  private static final int PAGE = 8192;

  /** The log answers a question with no more than so much. */
  private static final int ANSWER = 300_000;

  private final byte[] wal = new byte[5 * SEGMENT];
  private int questions;
  private int durable = wal.length;

  @TempDir private Path directory;

  CaptureWalTest() {
    new Random(4).nextBytes(wal);
  }

  private CaptureWal open() {
    return new CaptureWal(
        directory,
        SEGMENT,
        (from, to) -> {
          questions++;
          int begin = (int) from.value();
          int end = Math.min((int) Math.min(to.value(), begin + ANSWER), durable);
          return Arrays.copyOfRange(wal, begin, Math.max(begin, end));
        });
  }

  private void keep(int segment) throws IOException {
    Files.write(
        directory.resolve(String.format("%08X%08X%08X", 1, 0, segment)),
        Arrays.copyOfRange(wal, segment * SEGMENT, (segment + 1) * SEGMENT));
  }

  private static byte[] readByPages(CaptureWal wal, int from, int to) throws IOException {
    var bytes = new byte[to - from];
    for (int at = from; at < to; at += PAGE) {
      wal.read(new Lsn(at), bytes, at - from, Math.min(PAGE, to - at));
    }
    return bytes;
  }

  @Test
  void walThatIsGoneFromTheSegmentsIsTheLogsAndAskedForInLargePieces() throws IOException {
    keep(1);
    keep(3);
    try (CaptureWal open = open()) {
      assertThat(readByPages(open, 100, wal.length - 77))
          .isEqualTo(Arrays.copyOfRange(wal, 100, wal.length - 77));
    }
    int perSegment = (SEGMENT + ANSWER - 1) / ANSWER;
    assertThat(questions).isLessThanOrEqualTo(3 * perSegment);
  }

  @Test
  void whatTheLogDidNotHaveAtFirstIsAskedForAgain() throws IOException {
    durable = SEGMENT / 2;
    try (CaptureWal open = open()) {
      assertThat(readByPages(open, 0, SEGMENT / 2)).isEqualTo(Arrays.copyOf(wal, SEGMENT / 2));
      assertThatThrownBy(() -> readByPages(open, SEGMENT / 2, SEGMENT))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("neither in pg_wal nor in the log");
      durable = wal.length;
      assertThat(readByPages(open, 0, SEGMENT)).isEqualTo(Arrays.copyOf(wal, SEGMENT));
    }
  }
}
