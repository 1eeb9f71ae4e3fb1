package dev.ebb.shared.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class FileKeyTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "global/1262",
        "global/1262_fsm",
        "base/1/1259",
        "base/16384/16385_vm",
        "base/16384/16385_init",
        "base/16384/16385.3",
        "base/16384/16385_fsm.1",
        "base/4294967295/4294967295.32767",
        "pg_xact/0000",
        "pg_xact/00FF",
        "pg_xact/12345",
        "pg_multixact/offsets/0001",
        "pg_multixact/members/14078",
        "pg_commit_ts/ABCD"
      })
  void pathOfBlockFileComesBack(String path) {
    assertThat(FileKey.parse(path).orElseThrow().path()).isEqualTo(path);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "PG_VERSION",
        "global/pg_control",
        "global/pg_filenode.map",
        "base/1/PG_VERSION",
        "base/1/pg_internal.init",
        "base/1/t3_16385",
        "base/pgsql_tmp/x",
        "base/1/16385_foo",
        "base/1/16385.x",
        "base/1/",
        "pg_xact/00",
        "pg_xact/00gg",
        "pg_subtrans/0000",
        "pg_wal/000000010000000000000001",
        "/base/1/1259",
        "base/1/1259 ",
        "../base/1/1259",
        "global/1262/1"
      })
  void anyOtherPathIsNone(String path) {
    assertThat(FileKey.parse(path)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "base/4294967296/1",
        "base/1/9999999999",
        "base/1/16385.0",
        "base/1/007",
        "base/01/7",
        "pg_xact/0ABCDE",
        "base/0/1"
      })
  void pathThatPostgresNeverMakesIsNone(String path) {
    assertThat(FileKey.parse(path)).isEmpty();
  }

  @Test
  void keysSortByAllFieldsUnsigned() {
    var sorted =
        Stream.of(
                "pg_xact/0000",
                "base/4294967295/1",
                "base/1/3_fsm",
                "base/1/3",
                "base/1/3.1",
                "base/1/4294967295",
                "global/1",
                "pg_multixact/offsets/0000")
            .map(path -> FileKey.parse(path).orElseThrow())
            .sorted()
            .map(FileKey::path)
            .toList();

    assertThat(sorted)
        .isEqualTo(
            List.of(
                "global/1",
                "base/1/3",
                "base/1/3.1",
                "base/1/3_fsm",
                "base/1/4294967295",
                "base/4294967295/1",
                "pg_xact/0000",
                "pg_multixact/offsets/0000"));
  }

  @Test
  void kindsKeepTheirCodes() {
    assertThat(Stream.of(FileKey.Kind.values()).map(FileKey.Kind::code))
        .containsExactly(0, 1, 2, 3, 4);
    assertThatThrownBy(() -> FileKey.Kind.ofCode(5)).isInstanceOf(EbbException.Corrupt.class);
  }
}
