package dev.ebb.computeservice.template;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class DataFilesTest {
  @ParameterizedTest
  @CsvSource({
    "PG_VERSION, WHOLE",
    "base/5/PG_VERSION, WHOLE",
    "base/5/pg_filenode.map, WHOLE",
    "global/pg_control, WHOLE",
    "pg_twophase/00000000000002F1, WHOLE",
    "pg_stat/pgstat.stat, WHOLE",
    "pg_logical/replorigin_checkpoint, WHOLE",
    "pg_replslot/s/state, WHOLE",
    "base/5/1259, BLOCKS",
    "base/5/1259_fsm, BLOCKS",
    "base/5/16384.1, BLOCKS",
    "base/5/16384_init, BLOCKS",
    "global/1262_vm, BLOCKS",
    "pg_xact/0000, BLOCKS",
    "pg_multixact/members/0000, BLOCKS",
    "pg_wal/000000010000000000000001, LEFT_OUT",
    "pg_subtrans/0000, LEFT_OUT",
    "pg_notify/0000, LEFT_OUT",
    "pg_dynshmem/mmap.1, LEFT_OUT",
    "pg_stat_tmp/x, LEFT_OUT",
    "base/5/pg_internal.init, LEFT_OUT",
    "global/pg_internal.init, LEFT_OUT",
    "global/pg_internal.init.123, LEFT_OUT",
    "base/5/t3_16400, LEFT_OUT",
    "base/5/t12_16400_fsm.1, LEFT_OUT",
    "base/pgsql_tmp/pgsql_tmp12.0, LEFT_OUT",
    "postmaster.pid, LEFT_OUT",
    "postmaster.opts, LEFT_OUT",
    "backup_label.old, LEFT_OUT"
  })
  void fileIsTreatedAsPostgresUsesIt(String path, DataFiles.Treatment treatment) {
    assertThat(DataFiles.of(path)).isEqualTo(treatment);
  }

  @Test
  void directoriesAreKeptExceptForTemporaryFilesAndLogs() {
    assertThat(DataFiles.keepsDirectory("pg_subtrans")).isTrue();
    assertThat(DataFiles.keepsDirectory("base/5")).isTrue();
    assertThat(DataFiles.keepsDirectory("base/pgsql_tmp")).isFalse();
    assertThat(DataFiles.keepsDirectory("log")).isFalse();
  }
}
