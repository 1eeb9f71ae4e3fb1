package dev.ebb.launcher.durability;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Captures of a compute that lives on, while tables come and go in it. */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
final class CaptureIT {
  private static final int CAPTURES = 5;
  private static final Duration BOUND = Duration.ofMinutes(1);
  private static final String CAPTURED = "snapshot at redo";

  @TempDir private Path directory;

  @Test
  void capturesUnderLoadSucceedAndARestartGoesOnFromTheLast() throws Exception {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    try (var site = new Site(directory.resolve("s"), "1s", "")) {
      site.start();
      var load =
          new Load(
              site,
              List.of(
                  new RowWriter(1, 1, false, 1),
                  new TransferWriter(1, 2),
                  new TableWriter(1, 3),
                  new TableWriter(2, 4)));
      load.prepare();
      load.start();
      long deadline = System.nanoTime() + BOUND.toNanos();
      while (site.countInLog(CAPTURED) < CAPTURES) {
        assertThat(System.nanoTime()).as("%d captures in time", CAPTURES).isLessThan(deadline);
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
      }
      site.kill();
      site.start();
      load.stop();
      try (Connection connection = load.connect()) {
        load.verify(connection);
      }
      assertThat(site.countInLog("capture of branch")).as("failed captures").isZero();
      assertThat(load.leastAcknowledged()).isPositive();
    }
  }
}
