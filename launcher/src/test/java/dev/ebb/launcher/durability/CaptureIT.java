package dev.ebb.launcher.durability;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Captures of a compute that lives on, while tables come and go in it. */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
final class CaptureIT {
  private static final int CAPTURES = 5;
  private static final Duration BOUND = Duration.ofMinutes(1);
  private static final String CAPTURED = "snapshot at redo";

  /** So long that most moments lie within one: it takes many writes to bring it to the log. */
  private static final int LONG_RECORD_BYTES = 50_000_000;

  private static final int KILLS_IN_A_RECORD = Boolean.getBoolean("ebb.soak") ? 10 : 1;

  @TempDir private Path directory;

  @BeforeEach
  void letPostgresIn() throws IOException {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
  }

  @Test
  void capturesUnderLoadSucceedAndARestartGoesOnFromTheLast() throws Exception {
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
      awaitCaptures(site, CAPTURES);
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

  /** What a snapshot asks of the log must be there when all behind it is lost. */
  @Test
  void branchOpensWhoseLogEndsWithinARecordBehindTheNewestSnapshot() throws Exception {
    try (var site = new Site(directory.resolve("s"), "1s", "")) {
      site.start();
      for (int kill = 0; kill < KILLS_IN_A_RECORD; kill++) {
        long before = site.countInLog(CAPTURED);
        try (Connection connection = site.connect()) {
          Thread writer = Thread.startVirtualThread(() -> longRecords(connection));
          awaitCaptures(site, before + 1);
          site.kill();
          writer.join();
        }
        site.start();
        try (Connection connection = site.connect();
            Statement statement = connection.createStatement()) {
          assertThat(statement.execute("SELECT count(*) FROM pg_class")).isTrue();
        }
      }
    }
  }

  private static void longRecords(Connection connection) {
    try (Statement statement = connection.createStatement()) {
      while (true) {
        statement.execute(
            "SELECT pg_logical_emit_message(true, 'long', repeat('x', " + LONG_RECORD_BYTES + "))");
      }
    } catch (SQLException killed) {
      // As it must come to be.
    }
  }

  private static void awaitCaptures(Site site, long captures) throws IOException {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (site.countInLog(CAPTURED) < captures) {
      assertThat(System.nanoTime()).as("%d captures in time", captures).isLessThan(deadline);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }
}
