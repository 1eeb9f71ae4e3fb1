package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a wake fetches does not depend on how much there is. */
final class LookupIT {
  private static final int SEGMENT_BLOCKS = 131_072;

  /** One row a block; the long run goes past the first segment file of 1 GB. */
  private static final int ROWS = Soak.ON ? SEGMENT_BLOCKS + 1_000 : SEGMENT_BLOCKS / 8;

  private static final long MOST_BYTES = 2_000_000;

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
    shop.suspend();
    assertThat(server.metric("ebb_compute_running")).isZero();

    int wanted = ROWS - 10;
    assertThat(shop.ask("SELECT rtrim(pad, '.') FROM item WHERE id = " + wanted))
        .isEqualTo(String.valueOf(wanted));

    assertThat(server.metric("ebb_compute_running")).isEqualTo(1);
    double boot = server.metric("ebb_compute_boot_bytes");
    double hydrated = server.metric("ebb_compute_hydrated_bytes");
    System.out.printf("lookup: boot %.0f hydrated %.0f%n", boot, hydrated);
    assertThat(boot + hydrated)
        .as("%.0f bytes before the start and %.0f on demand", boot, hydrated)
        .isPositive()
        .isLessThan(MOST_BYTES);

    assertThat(shop.ask("SELECT count(*) || ' ' || sum(id) || ' ' || sum(length(pad)) FROM item"))
        .isEqualTo("%d %d %d".formatted(ROWS, ROWS * (ROWS + 1L) / 2, ROWS * 400L));
    assertThat(server.metric("ebb_compute_hydrated_bytes")).isGreaterThan(ROWS * 8_000.0);
  }
}
