package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.process.EbbProcess;
import dev.ebb.shared.archive.ArchiveKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** WAL leaves Kafka for the object store, and nobody who reads it notices. */
final class ArchiveIT {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final int TRIMS = Soak.ON ? 5 : 1;
  private static final double ARCHIVED_BYTES = 1 << 20;

  @TempDir private Path directory;

  /** Where the table had so many rows. */
  private record Point(String lsn, int rows) {}

  @Test
  void trimmedTopicsAreReadFromTheArchiveByBranchesOfThePastAndRecovery() throws Exception {
    try (var server =
        new Server(
            directory,
            "compute.captureWal: 1MB",
            "compute.captureInterval: 2s",
            "wal: {archiveWal: 1MB, archiveAge: 1s}")) {
      server.start();
      Database shop = server.create("shop");
      shop.execute("CREATE TABLE entry (number int PRIMARY KEY, payload text)");
      List<Point> points = new ArrayList<>();
      for (int trims = 1; trims <= TRIMS; trims++) {
        int wanted = trims;
        Await.until(
            "the topic is trimmed",
            BOUND,
            () -> {
              write(shop, points);
              // A trim may also be of the little that was written when a database was made.
              return server.metric("ebb_wal_trims_total") >= wanted
                  && server.metric("ebb_wal_archived_bytes_total") > wanted * ARCHIVED_BYTES;
            });
      }
      assertThat(archived(server)).isNotEmpty();

      server.kill();
      server.start();
      Point last = points.getLast();
      assertThat(shop.ask("SELECT count(*) FROM entry")).isEqualTo("" + last.rows());
      write(shop, points);

      var branches = new Branches(server, shop.name());
      int number = 0;
      for (Point point : List.of(points.getFirst(), points.get(points.size() / 2), last)) {
        Database branch = branches.create(shop, "past" + ++number, "main", point.lsn());
        assertThat(branch.ask("SELECT count(*) FROM entry"))
            .as("at %s", point.lsn())
            .isEqualTo("" + point.rows());
        Amcheck.assertSound(branch);
        branch.suspend();
      }
      shop.suspend();
      assertThat(shop.ask("SELECT count(*) FROM entry")).isEqualTo("" + points.getLast().rows());
      try (EbbProcess check =
          EbbProcess.start(
              directory.resolve("cli"), Map.of("EBB_DATA", server.data().toString()), "fsck")) {
        assertThat(check.awaitExit(BOUND)).as(check.output()).isZero();
      }
    }
  }

  /** A commit of about half a megabyte of WAL, and where it ended. */
  private static void write(Database shop, List<Point> points) throws Exception {
    int rows = points.isEmpty() ? 0 : points.getLast().rows();
    try (Connection connection = shop.connect();
        Statement statement = connection.createStatement()) {
      statement.execute(
          "INSERT INTO entry SELECT i, repeat(md5(i::text), 10) FROM generate_series(%d, %d) i"
              .formatted(rows + 1, rows + 1_000));
      points.add(new Point(Database.ask(connection, "SELECT pg_current_wal_lsn()"), rows + 1_000));
    }
  }

  private static List<Path> archived(Server server) throws IOException {
    try (Stream<Path> objects = Files.walk(server.store())) {
      return objects
          .filter(file -> ArchiveKey.parse(server.store().relativize(file).toString()).isPresent())
          .toList();
    }
  }
}
