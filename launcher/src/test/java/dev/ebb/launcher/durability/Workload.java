package dev.ebb.launcher.durability;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.function.BooleanSupplier;

/** Work of every kind that writes pages and WAL, in a schema of its own, again and again. */
final class Workload {
  private static final List<String> ROUND =
      List.of(
          "CREATE TABLE a (id int PRIMARY KEY, k int, t text, p point, r int4range, w tsvector)",
          """
          INSERT INTO a SELECT i, i % 100, md5(i::text), point(i, i), int4range(i, i + 10),
            to_tsvector('simple', md5(i::text) || ' ' || i % 50) FROM generate_series(1, 5000) i
          """,
          "CREATE INDEX a_k ON a (k)",
          "CREATE INDEX a_hash ON a USING hash (t)",
          "CREATE INDEX a_gist ON a USING gist (p)",
          "CREATE INDEX a_gist_range ON a USING gist (r)",
          "CREATE INDEX a_spgist ON a USING spgist (p)",
          "CREATE INDEX a_spgist_text ON a USING spgist (t)",
          "CREATE INDEX a_gin ON a USING gin (w)",
          "CREATE INDEX a_brin ON a USING brin (id) WITH (pages_per_range = 2)",
          "CREATE UNIQUE INDEX CONCURRENTLY a_unique ON a (id, k)",
          """
          INSERT INTO a SELECT i, i % 7, md5(i::text), point(-i, i), int4range(i, i + 1),
            to_tsvector('simple', 'word' || i) FROM generate_series(5001, 12000) i
          """,
          "SELECT brin_summarize_new_values('a_brin')",
          "SELECT brin_desummarize_range('a_brin', 0)",
          "UPDATE a SET k = k + 1, t = t || 'x' WHERE id % 3 = 0",
          "DELETE FROM a WHERE id % 2 = 0 OR k = 1",
          "VACUUM (INDEX_CLEANUP on) a",
          "INSERT INTO a (id, k, t) SELECT i, 1, 'same' FROM generate_series(20001, 23000) i",
          "DELETE FROM a WHERE t = 'same'",
          "VACUUM (FREEZE, ANALYZE) a",
          "REINDEX TABLE CONCURRENTLY a",
          "CLUSTER a USING a_pkey",
          "VACUUM FULL a",
          "DELETE FROM a WHERE id > 1000",
          "VACUUM a",
          "INSERT INTO a (id, t) SELECT i, repeat('y', 300) FROM generate_series(30001, 32000) i",
          // toast
          "CREATE TABLE toasted (id int, big text)",
          "ALTER TABLE toasted ALTER big SET STORAGE external",
          "INSERT INTO toasted SELECT i, repeat(md5(i::text), 500) FROM generate_series(1, 100) i",
          "UPDATE toasted SET big = big || 'more' WHERE id % 2 = 0",
          "DELETE FROM toasted WHERE id % 5 = 0",
          "VACUUM toasted",
          // unlogged and back
          "CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, t text)",
          "INSERT INTO unlogged SELECT i, 'u' || i FROM generate_series(1, 2000) i",
          "CREATE INDEX unlogged_t ON unlogged USING gist (point(id, id))",
          "ALTER TABLE unlogged SET LOGGED",
          "UPDATE unlogged SET t = 'v' WHERE id % 10 = 0",
          "ALTER TABLE unlogged SET UNLOGGED",
          // truncation, rewriting, rolling back
          "CREATE TABLE cut AS SELECT i AS id, repeat('z', 200) AS t FROM generate_series(1, 5000) i",
          "DELETE FROM cut WHERE id > 100",
          "VACUUM (TRUNCATE) cut",
          "INSERT INTO cut SELECT i, repeat('w', 200) FROM generate_series(1, 3000) i",
          "TRUNCATE cut",
          "INSERT INTO cut SELECT i, repeat('w', 200) FROM generate_series(1, 3000) i",
          "ALTER TABLE cut ALTER id TYPE bigint",
          "BEGIN; CREATE TABLE gone AS SELECT * FROM cut; CREATE INDEX ON gone (id); ROLLBACK",
          """
          BEGIN; SAVEPOINT s; CREATE TABLE gone AS SELECT * FROM cut; CREATE INDEX ON gone (id);
          ROLLBACK TO s; CREATE TABLE gone AS SELECT * FROM cut; DROP TABLE gone; COMMIT
          """,
          "BEGIN; TRUNCATE cut; INSERT INTO cut SELECT i, 'n' FROM generate_series(1, 500) i; COMMIT",
          "BEGIN; CREATE TABLE fresh (i int); INSERT INTO fresh SELECT generate_series(1, 1000);"
              + " TRUNCATE fresh; INSERT INTO fresh SELECT generate_series(1, 100); COMMIT",
          "CREATE TEMP TABLE temporary ON COMMIT DROP AS SELECT generate_series(1, 1000)",
          // partitions, materialised views, sequences, large objects
          "CREATE TABLE parted (id int, t text) PARTITION BY RANGE (id)",
          "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000)",
          "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1000) TO (2000)",
          "CREATE INDEX ON parted (t)",
          "INSERT INTO parted SELECT i, 'p' || i FROM generate_series(0, 1999) i",
          "UPDATE parted SET id = id + 1000 WHERE id < 500",
          "ALTER TABLE parted DETACH PARTITION parted_1",
          "CREATE MATERIALIZED VIEW viewed AS SELECT * FROM parted",
          "CREATE UNIQUE INDEX ON viewed (id, t)",
          "REFRESH MATERIALIZED VIEW CONCURRENTLY viewed",
          "REFRESH MATERIALIZED VIEW viewed",
          "CREATE SEQUENCE counted",
          "SELECT nextval('counted') FROM generate_series(1, 200)",
          "ALTER SEQUENCE counted RESTART 7",
          "CREATE TABLE objects AS SELECT lo_from_bytea(0, repeat('o', 20000)::bytea) AS id"
              + " FROM generate_series(1, 10)",
          "SELECT lo_put(id, 10000, repeat('q', 30000)::bytea) FROM objects",
          "SELECT lo_unlink(id) FROM objects");

  private final Site site;
  private final String schema;
  private final boolean makesDatabases;

  Workload(Site site, int number) {
    this.site = site;
    this.schema = "work" + number;
    this.makesDatabases = number == 0;
  }

  /** Goes round until it is over; returns how often. */
  int repeat(BooleanSupplier over) {
    int rounds = 0;
    try (Connection connection = site.connect();
        Statement statement = connection.createStatement()) {
      while (!over.getAsBoolean()) {
        statement.execute("CREATE SCHEMA " + schema);
        statement.execute("SET search_path = " + schema);
        for (String sql : ROUND) {
          if (!over.getAsBoolean()) {
            statement.execute(sql);
          }
        }
        if (makesDatabases && rounds % 2 == 0) {
          // 14 knows no other way than the second.
          boolean chooses = connection.getMetaData().getDatabaseMajorVersion() >= 15;
          for (String strategy :
              chooses ? List.of("STRATEGY wal_log", "STRATEGY file_copy") : List.of("")) {
            statement.execute("CREATE DATABASE copied TEMPLATE template0 " + strategy);
            statement.execute("DROP DATABASE copied");
          }
        }
        statement.execute("RESET search_path");
        statement.execute("DROP SCHEMA " + schema + " CASCADE");
        rounds++;
      }
      return rounds;
    } catch (SQLException e) {
      throw new IllegalStateException(schema + ": " + e.getMessage(), e);
    }
  }
}
