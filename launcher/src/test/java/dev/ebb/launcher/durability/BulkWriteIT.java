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
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Storage rule 36: what writes a relation beside shared buffers ({@code bulk_write.c}) inserts the
 * WAL of its pages first. The shim holds it between the two, while the running compute is captured;
 * then the postmaster is killed, and what is recovered from that snapshot must have every page.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
final class BulkWriteIT {
  private static final Duration BOUND = Duration.ofMinutes(1);
  private static final int ROWS = 2_000;
  private static final String CAPTURED = "snapshot at redo";
  private static final String WAITED = "not in the snapshot yet";

  /** Statements that write in bulk, each on a table of its own that is named t. */
  private record Bulk(String setup, String statement) {}

  private static final List<Bulk> BULKS =
      List.of(
          new Bulk("", "CREATE INDEX t_more ON t (more)"),
          new Bulk("", "CLUSTER t USING t_pkey"),
          new Bulk("DELETE FROM t WHERE id % 2 = 0", "VACUUM FULL t"),
          new Bulk("ALTER TABLE t SET UNLOGGED", "ALTER TABLE t SET LOGGED"),
          new Bulk("", "CREATE INDEX t_gist ON t USING gist (point(id, id))"));

  @TempDir private Path directory;

  @Test
  void pageThatIsWrittenBehindTheCaptureIsNotLost() throws Exception {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    Path stall = directory.resolve("stall");
    try (var site =
        new Site(directory.resolve("s"), "2s", "", Map.of("EBB_TEST_STALL", stall.toString()))) {
      site.start();
      for (Bulk bulk : BULKS) {
        long rows = prepare(site, bulk);
        holdOverACapture(site, stall, bulk.statement());
        kill(site);
        check(site, rows, bulk.statement());
      }
    }
  }

  private static long prepare(Site site, Bulk bulk) throws SQLException {
    try (Connection connection = site.connect();
        Statement statement = connection.createStatement()) {
      statement.execute("DROP TABLE IF EXISTS t");
      statement.execute("CREATE TABLE t (id int PRIMARY KEY, more text)");
      statement.execute(
          "INSERT INTO t SELECT i, repeat('x', 100) || i FROM generate_series(1, %d) i"
              .formatted(ROWS));
      if (!bulk.setup().isEmpty()) {
        statement.execute(bulk.setup());
      }
      return count(statement, "SELECT count(*) FROM t");
    }
  }

  private static long count(Statement statement, String query) throws SQLException {
    try (var rows = statement.executeQuery(query)) {
      rows.next();
      return rows.getLong(1);
    }
  }

  private static void holdOverACapture(Site site, Path stall, String sql) throws Exception {
    Files.createFile(stall);
    Files.setPosixFilePermissions(stall, PosixFilePermissions.fromString("rw-rw-rw-"));
    var done =
        CompletableFuture.runAsync(() -> {
          try (Connection connection = site.connect();
              Statement statement = connection.createStatement()) {
            statement.execute(sql);
          } catch (SQLException e) {
            throw new IllegalStateException(e);
          }
        });
    try {
      await("the write to be held: " + sql, () -> done.isDone() || size(stall) > 0);
      assertThat(done).as(sql).isNotDone();
      long captured = site.countInLog(CAPTURED);
      long waited = site.countInLog(WAITED);
      await(
          "a capture while the write is held",
          () -> count(site, CAPTURED) > captured || count(site, WAITED) > waited);
    } finally {
      Files.delete(stall);
    }
    done.get(BOUND.toSeconds(), TimeUnit.SECONDS);
  }

  private static void kill(Site site) {
    List<ProcessHandle> postmasters = site.postmasters();
    postmasters.forEach(ProcessHandle::destroyForcibly);
    await(
        "the end of the postmaster", () -> postmasters.stream().noneMatch(ProcessHandle::isAlive));
  }

  private static void check(Site site, long rows, String sql) throws Exception {
    try (Connection connection = new Load(site, List.of()).connect();
        Statement statement = connection.createStatement()) {
      for (String path : List.of("enable_seqscan", "enable_indexscan")) {
        statement.execute("RESET ALL");
        statement.execute("SET " + path + " = off");
        assertThat(count(statement, "SELECT count(*) FROM t WHERE id > 0 AND more > ''"))
            .as("rows after %s, %s off", sql, path)
            .isEqualTo(rows);
      }
      statement.execute("RESET ALL; SET enable_seqscan = off; SET enable_bitmapscan = off");
      if (sql.contains("gist")) {
        assertThat(
                count(
                    statement,
                    "SELECT count(*) FROM t WHERE point(id, id) <@ box(point(0, 0), point(1e9, 1e9))"))
            .as("rows found by the index")
            .isEqualTo(rows);
      }
    }
    assertThat(site.asSuperuser(KillIT.AMCHECK)).as("what amcheck finds after " + sql).isBlank();
  }

  private static long size(Path path) {
    try {
      return Files.size(path);
    } catch (IOException e) {
      return 0;
    }
  }

  private static long count(Site site, String text) {
    try {
      return site.countInLog(text);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }
}
