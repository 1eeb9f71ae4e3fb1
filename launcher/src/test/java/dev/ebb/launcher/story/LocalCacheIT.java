package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A working set of four times what may lie on the local disk, written to, read and captured all the
 * while: every row is what was written last, and the disk holds no more than was allowed.
 */
final class LocalCacheIT {
  private static final int ROWS = 500_000;
  private static final int WRITERS = 2;
  private static final Duration LOAD = Duration.ofSeconds(Soak.ON ? 600 : 12);
  private static final long LIMIT = 64L << 20;

  /**
   * What may lie above the limit: blocks that are in no snapshot yet. At the pace of these writers
   * they write so much between two captures.
   */
  private static final long SLACK = 64L << 20;

  /** Between two transactions of one writer. */
  private static final long PACE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  @TempDir private Path directory;

  private final int[] model = new int[ROWS];
  private final AtomicLong commits = new AtomicLong();
  private volatile boolean ended;

  @Test
  void aWorkingSetOfFourTimesTheLimitIsReadAndWrittenAsIfItWereAllThere() throws Exception {
    try (Server server =
        new Server(
                directory,
                "compute.localCache: 64MB",
                "compute.captureWal: 4MB",
                "compute.captureInterval: 3s")
            .start()) {
      Database database = server.first();
      fill(server);
      // What was loaded is in no snapshot at first; the limit itself sees to a capture.
      Await.until(
          "the loaded table leaves", Duration.ofSeconds(60), () -> allocatedBytes(server) < LIMIT);
      long largest = 0;
      try (ExecutorService threads = Executors.newCachedThreadPool()) {
        List<Future<?>> work = new ArrayList<>();
        for (int writer = 0; writer < WRITERS; writer++) {
          int own = writer;
          work.add(threads.submit(() -> write(server, own)));
        }
        work.add(threads.submit(() -> read(server)));
        long end = System.nanoTime() + LOAD.toNanos();
        while (System.nanoTime() < end && work.stream().noneMatch(Future::isDone)) {
          largest = Math.max(largest, allocatedBytes(server));
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(200));
        }
        ended = true;
        for (Future<?> done : work) {
          done.get(60, TimeUnit.SECONDS);
        }
      }
      double evicted = server.metric("ebb_compute_cache_evicted_bytes_total");
      System.out.printf(
          "%d commits, evicted %.0f MB, at most %.1f MB on the disk%n",
          commits.get(), evicted / 1e6, largest / 1e6);
      assertThat(evicted).isGreaterThan(4.0 * LIMIT);
      assertThat(largest).isLessThan(LIMIT + SLACK);
      assertThat(server.log()).contains("snapshot at redo");
      assertModel(server);
      Amcheck.assertSound(database);
      // and so does the next start have it
      new Database(server, "ebb", database.id()).suspend();
      assertModel(server);
    }
  }

  private static Connection connect(Server server) throws Exception {
    return new Database(server, "ebb", "").connect(Database.OWNER, "word");
  }

  private static void fill(Server server) throws Exception {
    try (Connection connection = connect(server);
        var statement = connection.createStatement()) {
      statement.execute("CREATE TABLE account (id int PRIMARY KEY, v int NOT NULL, pad text)");
      statement.execute(
          "INSERT INTO account SELECT i, 0, (SELECT string_agg(md5((i + j)::text), '') FROM"
              + " generate_series(1, 14) j) FROM generate_series(0, "
              + (ROWS - 1)
              + ") i");
      long bytes = Long.parseLong(Database.ask(connection, "SELECT pg_relation_size('account')"));
      assertThat(bytes).isGreaterThan(4 * LIMIT - (16 << 20));
    }
  }

  private Object write(Server server, int writer) throws Exception {
    var random = new Random(writer);
    try (Connection connection = connect(server);
        PreparedStatement update =
            connection.prepareStatement("UPDATE account SET v = ? WHERE id = ?")) {
      connection.setAutoCommit(false);
      while (!ended) {
        int[] ids = new int[3];
        for (int i = 0; i < ids.length; i++) {
          ids[i] = random.nextInt(ROWS / WRITERS) * WRITERS + writer;
          int value = random.nextInt();
          update.setInt(1, value);
          update.setInt(2, ids[i]);
          assertThat(update.executeUpdate()).isEqualTo(1);
          model[ids[i]] = value;
        }
        connection.commit();
        commits.incrementAndGet();
        LockSupport.parkNanos(PACE_NANOS);
      }
    }
    return true;
  }

  /** Scans and looks up at random, all over the table. */
  private Object read(Server server) throws Exception {
    var random = new Random(7);
    try (Connection connection = connect(server)) {
      for (int round = 0; !ended; round++) {
        int id = random.nextInt(ROWS);
        String found =
            round % 500 == 0
                ? Database.ask(connection, "SELECT count(*) FROM account")
                : Database.ask(connection, "SELECT id FROM account WHERE id = " + id);
        assertThat(found).isEqualTo(Integer.toString(round % 500 == 0 ? ROWS : id));
      }
    }
    return true;
  }

  private void assertModel(Server server) throws Exception {
    try (Connection connection = connect(server);
        var statement = connection.createStatement()) {
      connection.setAutoCommit(false);
      statement.setFetchSize(10_000);
      int rows = 0;
      try (var found = statement.executeQuery("SELECT id, v, pad FROM account ORDER BY id")) {
        while (found.next()) {
          int id = found.getInt(1);
          assertThat(id).isEqualTo(rows);
          assertThat(found.getInt(2)).as("v of %d", id).isEqualTo(model[id]);
          assertThat(found.getString(3)).hasSize(14 * 32);
          rows++;
        }
      }
      assertThat(rows).isEqualTo(ROWS);
      assertThat(
              Database.ask(
                  connection,
                  "SELECT count(*) FROM account WHERE pad = (SELECT"
                      + " string_agg(md5((id + j)::text), '') FROM generate_series(1, 14) j)"))
          .isEqualTo(Integer.toString(ROWS));
    }
  }

  /** What relations take of the disk: {@code st_blocks}. */
  private static long allocatedBytes(Server server) throws IOException, InterruptedException {
    Process du =
        new ProcessBuilder(
                "sh",
                "-c",
                "du -s --block-size=1 "
                    + server.cache()
                    + "/computes/*/data/base 2>/dev/null"
                    + " | awk '{ n += $1 } END { print n + 0 }'")
            .start();
    String answer = new String(du.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    du.waitFor();
    return Long.parseLong(answer.strip());
  }
}
