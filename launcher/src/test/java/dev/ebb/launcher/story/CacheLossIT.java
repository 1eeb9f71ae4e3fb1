package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The local disk is a cache: a database lives on when everything on it is deleted. */
final class CacheLossIT {
  /** Of the data directory; anything else in there may go. */
  private static final Set<String> TRUTH =
      Set.of("kafka", "store", "token", "cluster-secret", "initialized");

  private static final Duration DELETED = Duration.ofSeconds(20);

  private static final List<String> SCHEMA =
      List.of(
          "CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price numeric)",
          "INSERT INTO item SELECT i, 'item ' || i, i / 7.0 FROM generate_series(1, 5000) i",
          "CREATE INDEX item_name ON item USING hash (name)",
          "CREATE INDEX item_price ON item (price) WHERE price > 100",
          "DELETE FROM item WHERE id % 10 = 0",
          "CREATE TABLE wide (id int, body text)",
          "ALTER TABLE wide ALTER body SET STORAGE EXTERNAL",
          "INSERT INTO wide SELECT i, repeat(md5(i::text), 2000) FROM generate_series(1, 20) i",
          "SELECT lo_from_bytea(4711, decode(repeat('c0ffee', 100000), 'hex'))",
          "CREATE SEQUENCE ticket START 100",
          "SELECT nextval('ticket') FROM generate_series(1, 40)",
          "CREATE UNLOGGED TABLE scratch AS SELECT i FROM generate_series(1, 300) i",
          "CREATE MATERIALIZED VIEW totals AS SELECT id % 7 AS k, sum(price) FROM item GROUP BY 1",
          "CREATE TABLE part (at int) PARTITION BY RANGE (at)",
          "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100)",
          "CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (100) TO (200)",
          "INSERT INTO part SELECT generate_series(0, 199)",
          "CREATE TABLE emptied AS SELECT generate_series(1, 1000)",
          "TRUNCATE emptied",
          "CREATE DATABASE second",
          "ALTER ROLE app SET work_mem = '5MB'",
          "CREATE ROLE reader LOGIN PASSWORD 'read'",
          "GRANT SELECT ON item TO reader",
          "CREATE ROLE leaver LOGIN PASSWORD 'leave'",
          "DROP ROLE leaver",
          "CREATE ROLE locked LOGIN PASSWORD 'lock'",
          "ALTER ROLE locked NOLOGIN",
          "ALTER ROLE app PASSWORD 'changed'");

  private static final String PICTURE =
      """
      SELECT concat_ws(' ',
        (SELECT count(*) || '/' || sum(id) || '/' || sum(hashtext(name)) FROM item),
        (SELECT id FROM item WHERE name = 'item 4321'),
        (SELECT count(*) FROM item WHERE price > 100),
        (SELECT sum(length(body)) || '/' || md5(string_agg(body, '' ORDER BY id)) FROM wide),
        (SELECT md5(lo_get(4711))),
        (SELECT sum(sum) FROM totals),
        (SELECT count(*) || '/' || sum(at) FROM part_2),
        (SELECT count(*) FROM emptied),
        (SELECT pg_relation_size('emptied')),
        current_setting('work_mem'))
      """;

  @TempDir private Path directory;
  private Server server;

  @BeforeEach
  void start() throws Exception {
    server = new Server(directory).start();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void databaseWakesFromKafkaAndObjectStoreAlone() throws Exception {
    Database shop = server.create("shop");
    shop.execute(SCHEMA.toArray(String[]::new));
    String before = picture(shop);
    server.first().suspend();
    shop.suspend();
    assertRoles(shop);
    assertThat(shop.state()).as("after logins that were refused").isEqualTo("suspended");

    server.stop();
    assertThat(below(server.cache().resolve("computes"))).isEmpty();
    assertThat(below(server.cache().resolve("run"))).isEmpty();
    loseEverythingLocal();
    server.start();

    assertRoles(shop);
    assertThat(shop.state()).isEqualTo("suspended");
    assertThat(picture(shop)).isEqualTo(before);
    try (Connection app = shop.connect(Database.OWNER, "changed")) {
      assertThat(Database.ask(app, "SELECT count(*) FROM scratch"))
          .as("an unlogged table outlives a clean stop")
          .isEqualTo("300");
      long ticket = Long.parseLong(Database.ask(app, "SELECT nextval('ticket')"));
      assertThat(ticket).isBetween(140L, 172L);
    }
    try (Connection reader = shop.connect("reader", "read")) {
      assertThat(Database.ask(reader, "SELECT count(*) FROM item")).isEqualTo("4500");
    }
    Amcheck.assertSound(shop);
  }

  @Test
  void preparedStartsThatAreDamagedOrDeletedAreNotMissed() throws Exception {
    Database shop = server.create("shop");
    shop.execute(SCHEMA.toArray(String[]::new));
    String before = picture(shop);
    server.first().suspend();
    Path computes = server.cache().resolve("computes");

    shop.suspend();
    Path prepared = preparedStart(computes, 2);
    Files.delete(prepared.resolve("data/global/pg_control"));
    assertThat(picture(shop)).as("with a file of the prepared start missing").isEqualTo(before);

    shop.suspend();
    var _ = preparedStart(computes, 2);
    for (Path lost : List.of(computes, server.cache().resolve("run"))) {
      for (Path one : below(lost)) {
        Await.until("it is deleted", DELETED, () -> isDeleted(one));
      }
    }
    assertThat(picture(shop)).as("without any prepared start").isEqualTo(before);

    shop.suspend();
    var _ = preparedStart(computes, 1);
    assertThat(picture(shop)).as("with a prepared start").isEqualTo(before);
    Amcheck.assertSound(shop);
  }

  /** Waits until so many starts are laid out; the newest one. */
  private static Path preparedStart(Path computes, int count) throws Exception {
    Await.until(
        "the next starts are prepared",
        DELETED,
        () ->
            below(computes).stream()
                    .filter(one -> Files.exists(one.resolve("data/global/pg_control")))
                    .count()
                == count);
    return below(computes).stream()
        .max(Comparator.comparingLong(one -> one.toFile().lastModified()))
        .orElseThrow();
  }

  @Test
  void killedServerWithoutItsCacheKeepsEveryAcknowledgedRow() throws Exception {
    Database shop = server.create("shop");
    shop.execute(SCHEMA.toArray(String[]::new));
    shop.suspend();
    try (Connection app = shop.connect(Database.OWNER, "changed");
        Statement statement = app.createStatement()) {
      statement.execute(
          "INSERT INTO item SELECT i, 'late ' || i, 1 FROM generate_series(10001, 12000) i");
      statement.execute("INSERT INTO scratch SELECT generate_series(1, 5)");
      statement.execute("ALTER ROLE reader PASSWORD 'reread'");
      statement.execute("DROP TABLE wide");
    }
    server.kill();
    loseEverythingLocal();
    server.start();

    try (Connection app = shop.connect(Database.OWNER, "changed")) {
      assertThat(Database.ask(app, "SELECT count(*) || '/' || max(id) FROM item"))
          .isEqualTo("6500/12000");
      assertThat(Database.ask(app, "SELECT to_regclass('wide') IS NULL")).isEqualTo("t");
      assertThat(Database.ask(app, "SELECT count(*) FROM scratch"))
          .as("a crash empties unlogged tables")
          .isEqualTo("0");
    }
    assertRefused(shop, "reader", "read");
    try (Connection reader = shop.connect("reader", "reread")) {
      assertThat(Database.ask(reader, "SELECT count(*) FROM item")).isEqualTo("6500");
    }
    Amcheck.assertSound(shop);
  }

  private static String picture(Database shop) throws SQLException {
    try (Connection app = shop.connect(Database.OWNER, "changed")) {
      return Database.ask(app, PICTURE);
    }
  }

  private static void assertRoles(Database shop) {
    assertRefused(shop, Database.OWNER, Database.PASSWORD);
    assertRefused(shop, "leaver", "leave");
    assertRefused(shop, "locked", "wrong");
    assertRefused(shop, "ebb_admin", "word");
  }

  private static void assertRefused(Database shop, String user, String password) {
    assertThatExceptionOfType(SQLException.class)
        .as(user)
        .isThrownBy(() -> shop.connect(user, password).close())
        .returns("28P01", SQLException::getSQLState);
  }

  private void loseEverythingLocal() throws Exception {
    // A killed server's PostgreSQL may take a moment to end, and deletes and makes files meanwhile.
    Await.until("the cache is deleted", DELETED, () -> isDeleted(server.cache()));
    for (Path file : below(server.data())) {
      if (!TRUTH.contains(file.getFileName().toString())) {
        assertThat(isDeleted(file)).as("deleted: %s", file).isTrue();
      }
    }
  }

  private static List<Path> below(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList();
    }
  }

  /** Deletes the tree; false where something else was faster and it has to be tried again. */
  private static boolean isDeleted(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return true;
    }
    try (Stream<Path> paths = Files.walk(directory)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
      return true;
    } catch (UncheckedIOException | DirectoryNotEmptyException e) {
      return false;
    }
  }
}
