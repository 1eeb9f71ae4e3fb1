package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.ebb.launcher.client.ApiException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The story of a database on the oldest PostgreSQL that there is (side by side on all of them with
 * {@code -Debb.soak=true}; every other test runs on the newest): make it, write, suspend, wake from
 * the store alone, capture it while it runs, kill, recover, branch.
 */
final class PostgresVersionsIT {
  private static final List<Integer> MAJORS = Soak.ON ? List.of(14, 15, 16, 17, 18) : List.of(14);

  private static final Duration BOUND = Duration.ofSeconds(60);

  private static final List<String> SCHEMA =
      List.of(
          "CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price numeric, at int[])",
          "INSERT INTO item SELECT i, 'item ' || i, i / 7.0, ARRAY[i % 5, i % 11]"
              + " FROM generate_series(1, 5000) i",
          "CREATE INDEX item_name ON item USING hash (name)",
          "CREATE INDEX item_price ON item (price) WHERE price > 100",
          "CREATE INDEX item_at ON item USING gin (at)",
          "CREATE INDEX item_brin ON item USING brin (id)",
          "CREATE INDEX item_gist ON item USING gist (box(point(id, 0), point(id, 1)))",
          "CREATE INDEX item_spgist ON item USING spgist (name)",
          "DELETE FROM item WHERE id % 10 = 0",
          "CREATE TABLE wide (id int, body text)",
          "CREATE INDEX wide_id ON wide (id)",
          "ALTER TABLE wide ALTER body SET STORAGE EXTERNAL",
          "INSERT INTO wide SELECT i, repeat(md5(i::text), 2000) FROM generate_series(1, 20) i",
          "SELECT lo_from_bytea(4711, decode(repeat('c0ffee', 100000), 'hex'))",
          "CREATE SEQUENCE ticket START 100",
          "CREATE MATERIALIZED VIEW totals AS SELECT id % 7 AS k, sum(price) FROM item GROUP BY 1",
          "CREATE TABLE emptied AS SELECT generate_series(1, 1000)",
          "TRUNCATE emptied",
          "CREATE DATABASE second");

  private static final String PICTURE =
      """
      SELECT concat_ws(' ',
        (SELECT count(*) || '/' || sum(id) || '/' || sum(hashtext(name)) FROM item),
        (SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM item i),
        (SELECT id FROM item WHERE name = 'item 4321'),
        (SELECT count(*) FROM item WHERE price > 100),
        (SELECT count(*) FROM item WHERE at @> ARRAY[3, 7]),
        (SELECT sum(length(body)) || '/' || md5(string_agg(body, '' ORDER BY id)) FROM wide),
        (SELECT md5(lo_get(4711))),
        (SELECT sum(sum) FROM totals),
        (SELECT count(*) || '/' || pg_relation_size('emptied') FROM emptied),
        (SELECT string_agg(gid, ',' ORDER BY gid) FROM pg_prepared_xacts))
      """;

  @TempDir private Path directory;

  private final Map<Integer, Database> databases = new TreeMap<>();
  private final Map<Integer, String> pictures = new TreeMap<>();

  @Test
  void everyVersionKeepsWhatItWasGiven() throws Exception {
    try (var server = new Server(directory, "compute.captureInterval: 1s").start()) {
      server.first().suspend();
      for (int major : MAJORS) {
        Database made = server.create("db" + major, major);
        databases.put(major, made);
        assertThat(version(made)).isEqualTo(major);
        assertThat(String.valueOf(server.api().send("GET", "/v1/databases/db" + major, null)))
            .contains("postgresVersion=" + major);
        made.execute(SCHEMA.toArray(String[]::new));
        // Refused, or every role would be a superuser of the machine's: see docs/operations.md.
        assertRoles(made, major);
      }
      assertUnknownVersionIsRefused(server);

      wakesFromTheStoreAlone(server);
      isCapturedWhileItRuns(server);
      recoversFromAKill(server);
      branches(server);
      isReadByTheToolsForTheLog(server);
      for (Database each : databases.values()) {
        Amcheck.assertSound(each);
      }
    }
  }

  private static void assertRoles(Database database, int major) throws SQLException {
    try (Connection app = database.connect();
        Statement statement = app.createStatement()) {
      if (major >= 16) {
        statement.execute("CREATE ROLE reader");
        return;
      }
      assertThatExceptionOfType(SQLException.class)
          .isThrownBy(() -> statement.execute("CREATE ROLE reader"))
          .returns("42501", SQLException::getSQLState);
      assertThatExceptionOfType(SQLException.class)
          .isThrownBy(() -> statement.execute("GRANT pg_execute_server_program TO app"))
          .returns("42501", SQLException::getSQLState);
    }
  }

  private static void assertUnknownVersionIsRefused(Server server) {
    for (int unknown : new int[] {9, 13, 19}) {
      assertThatExceptionOfType(ApiException.Refused.class)
          .isThrownBy(() -> server.create("odd", unknown))
          .withMessageContaining("14, 15, 16, 17 and 18")
          .returns(400, ApiException.Refused::status);
    }
    assertThatExceptionOfType(ApiException.Refused.class)
        .isThrownBy(() -> server.create("odd", 180006))
        .withMessageContaining("no major version of PostgreSQL, such as 18")
        .returns(400, ApiException.Refused::status);
  }

  /** A clean stop, then nothing but the log and the object store. */
  private void wakesFromTheStoreAlone(Server server) throws Exception {
    for (Database each : databases.values()) {
      each.execute("BEGIN; UPDATE item SET price = -1 WHERE id < 50; PREPARE TRANSACTION 'kept'");
    }
    takePictures();
    server.stop();
    deleted(server.cache());
    server.start();
    comparePictures("after a wake from the store alone");
    assertThat(server.log())
        .as("a clean stop, no recovery")
        .doesNotContain("not suspended cleanly", "recovered from");
    for (Map.Entry<Integer, Database> each : databases.entrySet()) {
      assertThat(version(each.getValue())).isEqualTo(each.getKey());
    }
  }

  /** Under writes that go past shared buffers, vacuum, move rows, lock them. */
  private void isCapturedWhileItRuns(Server server) throws Exception {
    for (int major : MAJORS) {
      double before = server.metric("ebb_capture_seconds_count");
      Database database = of(major);
      work(database, major * 100_000);
      Await.until(
          "PostgreSQL " + major + " is captured under way",
          BOUND,
          () -> {
            database.execute(
                "UPDATE item SET price = price + 1 WHERE id % 3 = 0 AND id > 100",
                "VACUUM item", "REINDEX TABLE wide");
            return server.metric("ebb_capture_seconds_count") >= before + 2;
          });
    }
    assertThat(server.metric("ebb_capture_failures_total")).as(server.log()).isZero();
    assertThat(server.metric("ebb_capture_unmarked_total")).as(server.log()).isZero();
  }

  private static void work(Database database, int from) throws SQLException {
    database.execute(
        "INSERT INTO item SELECT i, 'more ' || i, i / 3.0, ARRAY[i % 7] FROM generate_series("
            + from
            + ", "
            + (from + 4000)
            + ") i",
        // A multixact: an outer and an inner transaction lock one row.
        "BEGIN; SELECT id FROM item WHERE id = 1001 FOR KEY SHARE; SAVEPOINT s;"
            + " UPDATE item SET price = 0 WHERE id = 1001; COMMIT",
        "CLUSTER wide USING wide_id",
        "VACUUM FULL wide",
        "DELETE FROM item WHERE id > " + (from + 3000),
        "REFRESH MATERIALIZED VIEW totals");
  }

  /** SIGKILL, with a database made and another dropped since the last snapshot, perhaps. */
  private void recoversFromAKill(Server server) throws Exception {
    for (int major : MAJORS) {
      Database database = of(major);
      database.execute(
          "CREATE DATABASE third",
          "DROP DATABASE second",
          "BEGIN; INSERT INTO wide VALUES (-1, 'two'); PREPARE TRANSACTION 'late'",
          "INSERT INTO wide SELECT i, 'late' FROM generate_series(100, 2100) i",
          "CREATE TABLE born AS SELECT generate_series(1, 100) AS n");
    }
    takePictures();
    server.kill();
    deleted(server.cache());
    server.start();
    comparePictures("after a kill");
    for (Database each : databases.values()) {
      assertThat(each.ask("SELECT count(*) FROM born")).isEqualTo("100");
      assertThat(
              each.ask(
                  "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database"
                      + " WHERE datname IN ('second', 'third')"))
          .isEqualTo("third");
      assertThat(inThird(each)).as("a database that recovery made").isEqualTo("12");
      each.execute("COMMIT PREPARED 'late'", "ROLLBACK PREPARED 'kept'");
      assertThat(each.ask("SELECT body FROM wide WHERE id = -1")).isEqualTo("two");
    }
  }

  /** Past the gateway, which knows the database of a branch's own name only. */
  private static String inThird(Database database) throws Exception {
    try (Connection admin = database.connectAsAdmin()) {
      String url = admin.getMetaData().getURL().replaceFirst("/[^/?]*([?].*)?$", "/third");
      var properties = new java.util.Properties();
      properties.setProperty("user", "ebb_admin");
      properties.setProperty("password", database.adminPassword());
      try (Connection third = DriverManager.getConnection(url, properties);
          Statement statement = third.createStatement()) {
        statement.execute("CREATE TABLE t AS SELECT generate_series(1, 12)");
        return Database.ask(third, "SELECT count(*) FROM t");
      }
    }
  }

  private void branches(Server server) throws Exception {
    takePictures();
    for (int major : MAJORS) {
      Database parent = of(major);
      Database child = new Branches(server, parent.name()).create(parent, "dev");
      assertThat(version(child)).isEqualTo(major);
      assertThat(child.ask(PICTURE)).isEqualTo(pictures.get(major));
      child.execute("DELETE FROM item WHERE id % 2 = 0", "DROP TABLE wide CASCADE");
      child.suspend();
      assertThat(child.ask("SELECT count(*) FROM item WHERE id % 2 = 0")).isEqualTo("0");
      if (Soak.ON) {
        Amcheck.assertSound(child);
      }
      child.suspend();
    }
    comparePictures("beside a branch");
  }

  /** Formats of pages and records differ from version to version. */
  private void isReadByTheToolsForTheLog(Server server) throws Exception {
    var tools = new WalTools(server.data());
    for (Database each : databases.values()) {
      String kept = each.ask("SELECT count(*) FROM item");
      String then = each.ask("SELECT to_json(clock_timestamp())#>>'{}'");
      each.execute("DELETE FROM item WHERE id % 2 = 1");
      String name = each.name();
      assertThat(tools.run("verify", name)).contains(" are right");
      assertThat(tools.run("tail", name, "-n", "2000").lines().toList())
          .hasSize(2000)
          .anyMatch(line -> line.contains("desc: DELETE"));
      String lsn = tools.lastBefore(name, then);

      List<String> records = tools.run("dump", name, "--to", lsn).lines().toList();
      assertThat(records)
          .noneMatch(line -> line.contains("UNKNOWN"))
          .anyMatch(line -> line.contains("rmgr: Gin "))
          .anyMatch(line -> line.contains("desc: COMMIT_PREPARED"))
          .anyMatch(line -> line.contains("rmgr: Database") && line.contains("desc: CREATE"));
      assertThat(tools.run("stats", name, "--to", lsn))
          .contains("\n" + records.size() + " records, ");

      tools.run("replay", name, "--to-lsn", lsn, "--as", name + "@then");
      assertThat(each.at("then").ask("SELECT count(*) FROM item")).isEqualTo(kept);
      each.at("then").suspend();
    }
  }

  private Database of(int major) {
    return Objects.requireNonNull(databases.get(major));
  }

  private void takePictures() throws SQLException {
    for (Map.Entry<Integer, Database> each : databases.entrySet()) {
      pictures.put(each.getKey(), each.getValue().ask(PICTURE));
    }
  }

  private void comparePictures(String when) throws SQLException {
    for (Map.Entry<Integer, Database> each : databases.entrySet()) {
      assertThat(each.getValue().ask(PICTURE))
          .as("PostgreSQL %d %s", each.getKey(), when)
          .isEqualTo(pictures.get(each.getKey()));
    }
  }

  private static int version(Database database) throws SQLException {
    return Integer.parseInt(database.ask("SHOW server_version_num")) / 10_000;
  }

  /** A killed server's PostgreSQL may take a moment to end, and makes files meanwhile. */
  private static void deleted(Path tree) throws Exception {
    Await.until(tree + " is deleted", BOUND, () -> isDeleted(tree));
  }

  private static boolean isDeleted(Path tree) throws IOException {
    if (!Files.exists(tree)) {
      return true;
    }
    try (Stream<Path> paths = Files.walk(tree)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
      return true;
    } catch (UncheckedIOException | DirectoryNotEmptyException e) {
      return false;
    }
  }
}
