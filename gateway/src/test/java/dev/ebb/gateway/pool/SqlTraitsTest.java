package dev.ebb.gateway.pool;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SqlTraitsTest {

  private static SqlTraits of(String sql) {
    return SqlTraits.of(sql.getBytes(StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SELECT abalance FROM pgbench_accounts WHERE aid = 1",
        "UPDATE t SET a = a + 1 WHERE b IN (1, 2)",
        "INSERT INTO public.t (a, b) VALUES (now(), 'SET x = 1')",
        "select count(*), max(a) over (partition by b) from t",
        "BEGIN; SET LOCAL work_mem = 1; COMMIT",
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "SET TRANSACTION READ ONLY",
        "/* set x */ SELECT 1 -- listen y",
        "SELECT $$set_config('a.b', 'c', false)$$, $tag$ listen $$ x $tag$",
        "SELECT 'it''s; set x = 1'",
        "SELECT \"set\" FROM \"listen\"",
        "SELECT E'\\'; set x = 1'",
        "SELECT pg_advisory_xact_lock(1)",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "CREATE TABLE t (a numeric(10, 2), b varchar(10))",
        "COMMIT",
        ""
      })
  void whatLeavesNothingBehind(String sql) {
    assertThat(of(sql)).isEqualTo(SqlTraits.QUIET);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SET search_path = a",
        "set session work_mem to 1",
        "SELECT 1; SET work_mem = 1",
        "RESET ALL",
        "LISTEN news",
        "/* quiet */ listen news",
        "(SELECT pg_advisory_lock(1))",
        "SELECT my_function(1)",
        "SELECT public.abs(1)",
        "SELECT \"set_config\"('work_mem', '1', false)",
        "CREATE TEMP TABLE t (a int)",
        "SELECT 1 INTO TEMPORARY t",
        "CREATE TABLE pg_temp.t (a int)",
        "CREATE TABLE pg_temp_3.t (a int)",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "PREPARE p AS SELECT 1",
        "DO $$ BEGIN END $$",
        "CALL p()",
        "LOAD 'x'",
        "DISCARD ALL",
        "SELECT 'a\\'; SET x = 1; --'"
      })
  void whatMayLeaveSomethingBehind(String sql) {
    assertThat(of(sql).mayChangeSession()).isTrue();
  }

  @Test
  void namesOfSettingsThatNoViewLists() {
    assertThat(of("SET app.tenant = 1").customSettings()).containsExactly("app.tenant");
    assertThat(of("set session app.\"Tenant\" to 1").customSettings())
        .containsExactly("app.Tenant");
    assertThat(of("SELECT set_config('app.tenant', $1, false)").customSettings())
        .containsExactly("app.tenant");
    assertThat(of("SELECT pg_catalog.set_config('app.tenant', $1, false)").customSettings())
        .containsExactly("app.tenant");
    assertThat(of("SET work_mem = 1").customSettings()).isEmpty();
    assertThat(of("SELECT set_config($1, $2, false)").hidesSettings()).isTrue();
    assertThat(of("SELECT set_config('a' || 'b.c', $2, false)").hidesSettings()).isTrue();
  }

  @Test
  void whatIsDeallocated() {
    assertThat(of("DEALLOCATE s1").deallocates()).isEqualTo("s1");
    assertThat(of("deallocate PREPARE \"S_1\";").deallocates()).isEqualTo("S_1");
    assertThat(of("DEALLOCATE ALL").deallocates()).isNull();
    assertThat(of("DEALLOCATE s1; SELECT 1").deallocates()).isNull();
  }

  @Test
  void noBytesMakeItFail() {
    var random = new Random(1);
    String[] pieces = {
      "'", "\"", "$", "$a$", "--", "/*", "*/", "\\", "e'", "u&'", "set ", "(", "é"
    };
    for (int i = 0; i < 20_000; i++) {
      var sql = new StringBuilder();
      for (int j = random.nextInt(12); j >= 0; j--) {
        sql.append(pieces[random.nextInt(pieces.length)]);
      }
      assertThat(of(sql.toString())).isNotNull();
      var bytes = new byte[random.nextInt(30)];
      random.nextBytes(bytes);
      assertThat(SqlTraits.of(bytes)).isNotNull();
    }
  }
}
