package dev.ebb.computeservice.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.computeservice.template.PostgresFixture;
import dev.ebb.shared.model.PostgresMajor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The file as parsed here against what PostgreSQL says of it. */
final class PgControlIT {
  static List<PostgresMajor> majors() {
    return PostgresFixture.MAJORS;
  }

  @ParameterizedTest
  @MethodSource("majors")
  void everyFieldIsWhatPostgresReadsToo(PostgresMajor major) throws IOException {
    PostgresFixture postgres = PostgresFixture.get(major);
    try {
      compare(major, postgres);
    } finally {
      postgres.clean();
    }
  }

  private static void compare(PostgresMajor major, PostgresFixture postgres) throws IOException {
    Path data =
        postgres.lay(
            postgres.template, postgres.template.control().withSystemIdentifier(4711_0815L));
    try (var server = postgres.start(data, "track_commit_timestamp=on")) {
      server.sql(
          "postgres",
          "CREATE TABLE t (i int PRIMARY KEY)",
          "INSERT INTO t VALUES (1)",
          // A multixact: two transactions lock one row, the outer one being this statement's own.
          "BEGIN",
          "SELECT * FROM t FOR KEY SHARE",
          "SAVEPOINT a",
          "SELECT * FROM t FOR UPDATE",
          "COMMIT",
          "CHECKPOINT");
      PgControl control = PgControl.read(data);
      assertThat(one(server, "SELECT system_identifier FROM pg_control_system()"))
          .isEqualTo(Long.toString(control.systemIdentifier()))
          .isEqualTo("47110815");
      assertThat(one(server, "SELECT catalog_version_no FROM pg_control_system()"))
          .isEqualTo(Integer.toString(control.catalogVersion()));
      assertThat(control.major().major()).isEqualTo(major.number());
      assertThat(control.state()).isEqualTo(PgControl.State.IN_PRODUCTION);
      assertThat(
              one(
                  server,
                  """
                  SELECT concat_ws(' ', checkpoint_lsn, redo_lsn, timeline_id, next_xid, next_oid,
                                   next_multixact_id, next_multi_offset, oldest_xid,
                                   oldest_multi_xid)
                  FROM pg_control_checkpoint()
                  """))
          .isEqualTo(
              String.join(
                  " ",
                  control.checkpoint().toString(),
                  control.redo().toString(),
                  Integer.toString(control.timeline()),
                  (control.nextFullXid() >>> 32)
                      + ":"
                      + Integer.toUnsignedString(control.nextXid()),
                  Integer.toUnsignedString(control.nextOid()),
                  Integer.toUnsignedString(control.nextMulti()),
                  Integer.toUnsignedString(control.nextMultiOffset()),
                  Integer.toUnsignedString(control.oldestXid()),
                  Integer.toUnsignedString(control.oldestMulti())));
      assertThat(
              one(
                  server,
                  """
                  SELECT concat_ws(' ', database_block_size, wal_block_size, bytes_per_wal_segment,
                                   data_page_checksum_version)
                  FROM pg_control_init()
                  """))
          .isEqualTo(
              control.blockBytes()
                  + " "
                  + control.walBlockBytes()
                  + " "
                  + control.walSegmentBytes()
                  + " "
                  + (control.hasDataChecksums() ? 1 : 0));
      assertThat(
              one(
                  server,
                  "SELECT concat_ws(' ', min_recovery_end_lsn, min_recovery_end_timeline)"
                      + " FROM pg_control_recovery()"))
          .isEqualTo(control.minRecoveryPoint() + " " + control.minRecoveryTimeline());
      assertThat(one(server, "SHOW max_connections"))
          .isEqualTo(Integer.toString(control.maxConnections()));
      assertThat(control.walLevel()).isEqualTo(1);
      assertThat(control.tracksCommitTimestamps()).isTrue();
    }
  }

  private static String one(PostgresFixture.Server server, String sql) {
    return server.sql("postgres", sql).getFirst();
  }
}
