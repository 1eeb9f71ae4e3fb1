package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What was read soon after a wake is there soon after the next one. */
final class PrewarmIT {
  private static final int ROWS = 100_000;
  private static final int LOOKUPS = 200;

  @TempDir private Path directory;

  @Test
  void theSecondWakesSameQueriesWaitForNearlyNothing() throws Exception {
    try (Server server = new Server(directory).start()) {
      Database database = server.create("shop");
      database.execute(
          "CREATE TABLE item (id int PRIMARY KEY, body text)",
          "INSERT INTO item SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, "
              + ROWS
              + ") i",
          "VACUUM (ANALYZE) item");
      // So that what a session itself reads is in the boot pack.
      for (int i = 0; i < 2; i++) {
        database.suspend();
        database.ask("SELECT max(id) FROM item");
      }
      database.suspend();
      database.wake();
      double first = missesOfLookups(server, database);
      database.suspend();
      database.wake();
      awaitQuiet(server);
      double second = missesOfLookups(server, database);
      assertThat(first).isGreaterThan(100);
      assertThat(second).isLessThan(first / 10);

      // and again: what was prefetched and used is remembered as well
      database.suspend();
      database.wake();
      awaitQuiet(server);
      assertThat(missesOfLookups(server, database)).isLessThan(first / 10);
    }
  }

  private static double missesOfLookups(Server server, Database database) throws Exception {
    var random = new Random(5);
    double before;
    try (Connection connection = database.connect()) {
      before = server.metric("ebb_compute_misses");
      for (int i = 0; i < LOOKUPS; i++) {
        int id = 1 + random.nextInt(ROWS);
        assertThat(Database.ask(connection, "SELECT length(body) FROM item WHERE id = " + id))
            .isEqualTo("256");
      }
    }
    return server.metric("ebb_compute_misses") - before;
  }

  /** Until nothing is fetched any more. */
  private static void awaitQuiet(Server server) throws Exception {
    double[] last = {-1};
    Await.until(
        "the prewarming ends",
        Duration.ofSeconds(20),
        () -> {
          double now = server.metric("ebb_compute_prewarmed_bytes");
          boolean quiet = now > 1 << 20 && now == last[0];
          last[0] = now;
          java.util.concurrent.locks.LockSupport.parkNanos(200_000_000);
          return quiet;
        });
  }
}
