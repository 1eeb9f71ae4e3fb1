package dev.ebb.computeservice.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class TemplateMakerIT {
  private final PostgresFixture postgres = PostgresFixture.get();

  TemplateMakerIT() throws IOException {}

  @AfterEach
  void clean() throws IOException {
    postgres.clean();
  }

  @Test
  void templateIsStoppedCleanlyWithTheSettingsThatEbbRelies() {
    PgControl control = postgres.template.control();
    assertThat(control.state()).isEqualTo(PgControl.State.SHUTDOWNED);
    assertThat(control.hasDataChecksums()).isFalse();
    assertThat(control.walSegmentBytes()).isEqualTo(TemplateMaker.WAL_SEGMENT_BYTES);
    assertThat(control.timeline()).isEqualTo(1);
    assertThat(control.redo()).isEqualTo(control.checkpoint());
  }

  @Test
  void manifestIngredientsLeaveOutWhatPostgresMakesAgain() {
    assertThat(postgres.template.directories())
        .contains("base", "global", "pg_wal", "pg_wal/archive_status", "pg_xact", "pg_subtrans")
        .isSorted();
    List<String> small =
        postgres.template.smallFiles().stream().map(Manifest.SmallFile::path).toList();
    assertThat(small)
        .contains("PG_VERSION", "global/pg_control", "global/pg_filenode.map", "postgresql.conf")
        .noneMatch(p -> p.contains("pg_internal.init") || p.startsWith("pg_wal/"));
    assertThat(postgres.template.files())
        .isSortedAccordingTo(java.util.Comparator.comparing(Manifest.BlockFile::key));
    long smallBytes =
        postgres.template.smallFiles().stream().mapToLong(f -> f.content().length).sum();
    assertThat(smallBytes).isLessThan(20_000);
    long pieces = postgres.template.walPieces().stream().mapToLong(p -> p.bytes().length).sum();
    assertThat(pieces).isLessThanOrEqualTo(3 * 8192);
    assertThat(postgres.template.endLsn()).isGreaterThan(postgres.template.control().checkpoint());
  }

  /** Otherwise the first reader of every page would write its hint bits. */
  @Test
  void everyRowOfTheTemplateIsFrozen() throws IOException {
    Path data = postgres.lay(postgres.template, postgres.template.control());
    try (var server = postgres.start(data)) {
      assertThat(server.sql(TemplateMaker.DATABASE, "SELECT datname FROM pg_database ORDER BY 1"))
          .containsExactly("ebb_template", "postgres", "template0", "template1");
      assertThat(
              server.sql(
                  TemplateMaker.DATABASE,
                  "SELECT relname FROM pg_class WHERE relkind = 'r' AND age(relfrozenxid) > 50"))
          .isEmpty();
      assertThat(server.sql("postgres", "SHOW server_encoding")).containsExactly("UTF8");
    }
  }

  /** Rules 25 and 42: of its WAL only the pieces are there. */
  @Test
  void clusterWithItsPiecesOnlyAndAnotherIdentifierStartsWithoutRecovery() throws IOException {
    long identifier = 0x7AB1_2345_6789_0001L;
    Path data =
        postgres.lay(
            postgres.template, postgres.template.control().withSystemIdentifier(identifier));
    Lsn end;
    try (var server = postgres.start(data)) {
      assertThat(server.sql("postgres", "SELECT system_identifier FROM pg_control_system()"))
          .containsExactly(Long.toString(identifier));
      assertThat(server.awaitLog("database system was shut down at"))
          .doesNotContain("recovery", "FATAL", "PANIC");
      server.sql(TemplateMaker.DATABASE, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i");
      assertThat(server.process.stopFast(PostgresFixture.PATIENCE)).isTrue();
      assertThat(server.process.exit()).isCompletedWithValue(0);
    }
    StoppedCluster stopped = StoppedCluster.read(data);
    assertThat(stopped.control().systemIdentifier()).isEqualTo(identifier);
    end = stopped.endLsn();

    Path again = postgres.lay(stopped, stopped.control());
    try (var server = postgres.start(again)) {
      assertThat(server.sql(TemplateMaker.DATABASE, "SELECT count(*) FROM t"))
          .containsExactly("1000");
      // The first new record begins where the log ended.
      assertThat(
              server.sql("postgres", "SELECT pg_current_wal_insert_lsn() >= '" + end + "'::pg_lsn"))
          .containsExactly("true");
    }
  }

  @Test
  void directoryThatWasNotStoppedCleanlyIsRefused() throws IOException {
    Path data = postgres.lay(postgres.template, postgres.template.control());
    try (var server = postgres.start(data)) {
      server.process.kill9();
      assertThat(server.process.exit().orTimeout(60, java.util.concurrent.TimeUnit.SECONDS).join())
          .isNotZero();
    }
    assertThatThrownBy(() -> StoppedCluster.read(data))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessageContaining("not stopped cleanly");
  }

  @Test
  void existingDirectoryIsRefusedAndLeftAlone() throws IOException {
    Path taken = Files.createDirectory(postgres.newDirectory());
    Files.writeString(taken.resolve("mine"), "x");
    assertThatThrownBy(() ->
            new TemplateMaker(postgres.binaries, postgres.user, postgres.launcher).make(taken))
        .isInstanceOf(EbbException.Conflict.class);
    assertThat(taken.resolve("mine")).exists();
  }
}
