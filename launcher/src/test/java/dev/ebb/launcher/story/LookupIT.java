package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a wake fetches does not depend on how much there is. */
final class LookupIT {
  private static final int SEGMENT_BLOCKS = 131_072;

  /** One row a block, and some blocks behind the first segment file of 1 GB. */
  private static final int ROWS = SEGMENT_BLOCKS + 1_000;

  private static final long MOST_BYTES = 2_000_000;

  /**
   * So long after the start Ebb opens a session of its own, in a database of its own, whose catalog
   * is as large again: figures taken later are not those of the lookup.
   */
  private static final Duration EBBS_OWN_LOOK = Duration.ofSeconds(1);

  @TempDir private static Path directory;
  private static Server server;

  @BeforeAll
  static void start() throws Exception {
    server = new Server(directory).start();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void lookupAfterWakeFetchesLessThanTwoMegabytesAndScanFindsAllRows() throws Exception {
    server.first().suspend();
    Database shop = server.create("shop");
    // With so much room left free in a block no second row of this width fits.
    shop.execute(
        "CREATE TABLE item (id int NOT NULL, pad text) WITH (fillfactor = 10)",
        "INSERT INTO item SELECT i, rpad(i::text, 400, '.') FROM generate_series(1, %d) i"
            .formatted(ROWS),
        "ALTER TABLE item ADD PRIMARY KEY (id)");
    assertThat(shop.ask("SELECT pg_relation_size('item') / 8192")).isEqualTo(String.valueOf(ROWS));
    Fetched fetched = lookUpAfterWake(shop);
    for (int i = 0; i < 5 && fetched.afterNanos() > EBBS_OWN_LOOK.toNanos(); i++) {
      fetched = lookUpAfterWake(shop);
    }
    assertThat(fetched.boot() + fetched.hydrated())
        .as("%s", fetched)
        .isPositive()
        .isLessThan(MOST_BYTES);

    assertThat(shop.ask("SELECT count(*) || ' ' || sum(id) || ' ' || sum(length(pad)) FROM item"))
        .isEqualTo("%d %d %d".formatted(ROWS, ROWS * (ROWS + 1L) / 2, ROWS * 400L));
    assertThat(server.metric("ebb_compute_hydrated_bytes")).isGreaterThan(ROWS * 8_000.0);
  }

  /**
   * What was fetched.
   *
   * @param boot bytes before PostgreSQL started
   * @param hydrated bytes on demand
   * @param afterNanos how long the wake, the lookup and asking for the figures took
   */
  private record Fetched(double boot, double hydrated, long afterNanos) {}

  private static Fetched lookUpAfterWake(Database shop) throws Exception {
    shop.suspend();
    assertThat(server.metric("ebb_compute_running")).isZero();
    long begin = System.nanoTime();
    int wanted = ROWS - 10;
    assertThat(shop.ask("SELECT rtrim(pad, '.') FROM item WHERE id = " + wanted))
        .isEqualTo(String.valueOf(wanted));
    assertThat(server.metric("ebb_compute_running")).isEqualTo(1);
    return new Fetched(
        server.metric("ebb_compute_boot_bytes"),
        server.metric("ebb_compute_hydrated_bytes"),
        System.nanoTime() - begin);
  }
}
