package dev.ebb.computeservice.capture;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.template.PostgresFixture;
import dev.ebb.shared.model.PostgresMajor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** PostgreSQL's own statistics file, shortened, and read by PostgreSQL again. */
final class StatisticsFileIT {
  private static final int TABLES = 800;

  /** The part of fixed layout alone has 50 kB in 18. */
  private static final int MAX_BYTES = 100 << 10;

  private static final String FILE = "pg_stat/pgstat.stat";

  /** 14 has other files. */
  static List<PostgresMajor> majors() {
    return PostgresFixture.MAJORS.stream().filter(major -> major.number() >= 15).toList();
  }

  @ParameterizedTest
  @MethodSource("majors")
  void longFileKeepsTheTablesThatChangedMost(PostgresMajor major) throws IOException {
    PostgresFixture postgres = PostgresFixture.get(major);
    try {
      Path data = postgres.lay(postgres.template, postgres.template.control());
      try (var server = postgres.start(data, "autovacuum=off")) {
        server.sql(
            "postgres",
            "DO $$ BEGIN FOR i IN 1.."
                + TABLES
                + " LOOP EXECUTE format('CREATE TABLE t%s AS SELECT generate_series(1, %s) AS n',"
                + " i, i); END LOOP; END $$");
        assertThat(server.process.stopFast(Duration.ofSeconds(20))).isTrue();
      }
      byte[] whole = Files.readAllBytes(data.resolve(FILE));
      assertThat(whole.length).isGreaterThan(MAX_BYTES);
      byte[] kept =
          StatisticsFile.shortened(whole, PgControl.read(data).major(), MAX_BYTES).orElseThrow();
      Files.write(data.resolve(FILE), kept);

      try (var server = postgres.start(data, "autovacuum=off")) {
        assertThat(
                server.sql(
                    "postgres",
                    "SELECT n_live_tup || ' ' || n_mod_since_analyze FROM pg_stat_user_tables"
                        + " WHERE relname IN ('t"
                        + TABLES
                        + "', 't1') ORDER BY relname"))
            .containsExactly("0 0", TABLES + " " + TABLES);
        assertThat(server.log()).doesNotContain("corrupted statistics file");
      }
    } finally {
      postgres.clean();
    }
  }
}
