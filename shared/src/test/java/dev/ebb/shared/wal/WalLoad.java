package dev.ebb.shared.wal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Statements that make PostgreSQL write as many kinds of records as it can. */
final class WalLoad {
  /** Whether there is time for every round. */
  static final boolean SOAK = Boolean.getBoolean("ebb.soak");

  private final WalServer server;

  WalLoad(WalServer server) {
    this.server = server;
  }

  private static void run(Connection connection, String... statements) throws SQLException {
    try (var statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }

  /** 14 knows one way only, by no name. */
  private static String packing(Connection connection, String compression) throws SQLException {
    int version = connection.getMetaData().getDatabaseMajorVersion();
    return version < 15 && !compression.equals("off") ? "on" : compression;
  }

  /** One round, in a database of its own, with page images packed in this way. */
  void round(String name, String compression) throws SQLException, IOException {
    try (Connection connection = server.connect("postgres")) {
      run(connection, "create database " + name);
    }
    try (Connection connection = server.connect(name)) {
      run(connection, "set wal_compression = " + packing(connection, compression), "checkpoint");
      tables(connection);
      indexes(connection);
      transactions(connection, name);
      vacuum(connection);
      objects(connection);
      tablespace(connection, name);
    }
    copies(name);
  }

  private static void tables(Connection connection) throws SQLException {
    run(
        connection,
        "create table t (id int primary key, a int, b text, p point, ts tsvector, r int4range)",
        "insert into t select i, i % 100, repeat(md5(i::text), 3), point(i, i % 7),"
            + " to_tsvector('simple', md5(i::text) || ' ' || i % 50), int4range(i, i + 10)"
            + " from generate_series(1, 4000) i",
        "create unlogged table u as select * from t limit 100",
        "create temp table tmp as select 1",
        "create table s (id serial, v text)",
        "insert into s (v) select repeat('x', i * 100) from generate_series(1, 200) i",
        "update t set a = a + 1 where id % 3 = 0",
        "update s set v = v || 'y' where id < 50",
        "delete from t where id % 11 = 0",
        "insert into t (id, a) values (1, 2) on conflict (id) do update set a = 5",
        "select * from t where id < 20 for update",
        "select * from t where id < 20 for key share",
        "alter table s add column w int default 7",
        "alter table s alter column w type bigint",
        "checkpoint",
        "update t set a = a + 1 where id % 5 = 0");
  }

  private static void indexes(Connection connection) throws SQLException {
    run(
        connection,
        "create index t_btree on t (a, id)",
        "create index t_hash on t using hash (b)",
        "create index t_gin on t using gin (ts)",
        "create index t_gist on t using gist (p)",
        "create index t_range on t using gist (r)",
        "create index t_spgist on t using spgist (p)",
        "create index t_text on t using spgist (b)",
        "create index t_brin on t using brin (id) with (pages_per_range = 2)",
        "insert into t select i, i % 100, repeat(md5(i::text), 3), point(i, i % 7),"
            + " to_tsvector('simple', md5(i::text) || ' ' || i % 50), int4range(i, i + 10)"
            + " from generate_series(10001, 14000) i",
        "update t set b = b || 'z', p = point(a, id) where id % 4 = 0",
        "delete from t where id % 4 = 1",
        "vacuum t",
        "select brin_summarize_new_values('t_brin')",
        "select brin_desummarize_range('t_brin', 0)",
        "select gin_clean_pending_list('t_gin')",
        "insert into t select i, i % 3, md5(i::text), point(i % 100, i % 7),"
            + " to_tsvector('simple', 'same words'), int4range(i, i + 10)"
            + " from generate_series(20001, 22000) i",
        "delete from t where id > 12000",
        "vacuum t",
        "reindex table t",
        "create index concurrently t_late on t (b)",
        "drop index t_hash");
  }

  private static void transactions(Connection connection, String name) throws SQLException {
    run(
        connection,
        "begin; savepoint a; insert into s (v) values ('a'); savepoint b;"
            + " insert into s (v) values ('b'); rollback to b; release a; commit",
        "begin; create table gone (i int); insert into gone values (1); rollback",
        "do $$ begin for i in 1..150 loop begin insert into s (v) values ('sub');"
            + " exception when others then null; end; end loop; end $$",
        "begin; insert into s (v) values ('prepared'); create table p2 (i int); drop table p2;"
            + " prepare transaction '"
            + name
            + " commit'",
        "begin; insert into s (v) values ('prepared'); create table p3 (i int);"
            + " prepare transaction '"
            + name
            + " abort'",
        "begin; savepoint a; insert into s (v) values ('x'); release a; drop table u;"
            + " prepare transaction '"
            + name
            + " drop'",
        "commit prepared '" + name + " commit'",
        "rollback prepared '" + name + " abort'",
        "commit prepared '" + name + " drop'",
        "select pg_logical_emit_message(true, 'ebb', repeat('message ', 100))",
        "select pg_logical_emit_message(false, 'ebb', repeat('long ', 20000))",
        "select pg_replication_origin_create('" + name + " origin')",
        "select pg_replication_origin_session_setup('" + name + " origin')",
        "begin; select pg_replication_origin_xact_setup('12/345678', '2020-02-03 04:05:06.7+00');"
            + " insert into s (v) values ('from elsewhere'); commit",
        "begin; select pg_replication_origin_xact_setup('12/34567A', '2020-02-03 04:05:07+00');"
            + " insert into s (v) values ('from elsewhere'); prepare transaction 'far'",
        "commit prepared 'far'",
        "select pg_replication_origin_session_reset()",
        "select pg_replication_origin_drop('" + name + " origin')");
    // Two that lock one row make a multixact.
    connection.setAutoCommit(false);
    run(connection, "select * from s where id = 3 for key share");
    run(connection, "savepoint x", "select * from s where id = 3 for update", "release x");
    connection.commit();
    connection.setAutoCommit(true);
  }

  private static void vacuum(Connection connection) throws SQLException {
    run(
        connection,
        "vacuum (freeze) s",
        "delete from s where id > 100",
        "vacuum (truncate) s",
        "vacuum full s",
        "cluster t using t_btree",
        "truncate s",
        "analyze",
        "create materialized view m as select a, count(*) c from t group by a",
        "refresh materialized view m",
        "drop materialized view m",
        "vacuum (freeze) pg_class");
  }

  private static void objects(Connection connection) throws SQLException {
    run(
        connection,
        "create sequence q",
        "select nextval('q') from generate_series(1, 100)",
        "select setval('q', 5000)",
        "alter sequence q restart with 7",
        "select lo_from_bytea(987654, repeat('large', 10000)::bytea)",
        "select lo_put(987654, 100, 'changed'::bytea)",
        "select lo_unlink(987654)",
        "create type e as enum ('a', 'b')",
        "alter type e add value 'c'",
        "create function f() returns int language sql as 'select 1'",
        "create table part (i int) partition by range (i)",
        "create table part1 partition of part for values from (0) to (100)",
        "insert into part select i from generate_series(0, 99) i",
        "drop table part",
        "select pg_create_restore_point('here')",
        "select pg_switch_wal()",
        "create table big as select i, md5(i::text) from generate_series(1, 20000) i",
        "create index on big (md5)",
        "drop table big");
  }

  private void tablespace(Connection connection, String name) throws SQLException, IOException {
    Path place = Files.createDirectory(server.dir.resolve("space_" + name));
    if ("root".equals(System.getProperty("user.name"))) {
      WalServer.exec(List.of("chown", "postgres", place.toString()));
    }
    Files.setPosixFilePermissions(place, PosixFilePermissions.fromString("rwxr-xr-x"));
    run(
        connection,
        "create tablespace space_" + name + " location '" + place + "'",
        "create table there (i int) tablespace space_" + name,
        "insert into there select generate_series(1, 1000)",
        "alter table there set tablespace pg_default",
        "alter table there set tablespace space_" + name,
        "drop table there",
        "drop tablespace space_" + name);
  }

  /** Databases made in both ways, and dropped. */
  private void copies(String name) throws SQLException {
    try (Connection connection = server.connect("postgres")) {
      run(connection, "create database copy_" + name + " template " + name);
      run(connection, "drop database copy_" + name);
      if (connection.getMetaData().getDatabaseMajorVersion() >= 15) {
        run(connection, "create database copy_" + name + " strategy file_copy template " + name);
        run(connection, "drop database copy_" + name);
      }
    }
  }

  /**
   * Makes indexes whose pages nobody changes any more, their images packed in this way.
   *
   * @return what their files are named
   */
  List<Integer> lasting(String compression) throws SQLException {
    List<Integer> files = new ArrayList<>();
    try (Connection connection = server.connect("postgres")) {
      String name = "last_" + compression;
      run(
          connection,
          "set wal_compression = " + packing(connection, compression),
          "create table " + name + " as select i, md5(i::text) m from generate_series(1, 3000) i",
          "create index on " + name + " (m)",
          "create index on " + name + " using spgist (m)",
          "create index on " + name + " using brin (i)");
      String indexes =
          "select pg_relation_filenode(indexrelid) from pg_index where indrelid = '"
              + name
              + "'::regclass";
      try (var statement = connection.createStatement();
          var rows = statement.executeQuery(indexes)) {
        while (rows.next()) {
          files.add(rows.getInt(1));
        }
      }
    }
    return files;
  }

  /**
   * Crashes in the middle of a record and lets recovery give it up, as PostgreSQL's own test {@code
   * 026_overwrite_contrecord.pl} does.
   */
  void crashInsideOfARecord(String... settings)
      throws SQLException, IOException, InterruptedException {
    String last;
    try (Connection connection = server.connect("postgres")) {
      run(connection, "checkpoint");
      String message =
          "select pg_walfile_name(pg_logical_emit_message(false, 'ebb', repeat('0123456789', "
              + server.segmentBytes / 4
              + ")))";
      try (var statement = connection.createStatement();
          var rows = statement.executeQuery(message)) {
        rows.next();
        last = rows.getString(1);
      }
      // It flushes the message with its own commit.
      run(connection, "create table flushed (i int)");
    }
    server.stop("QUIT");
    try (Stream<Path> segments = Files.list(server.wal())) {
      for (Path segment : segments.filter(Files::isRegularFile).toList()) {
        if (segment.getFileName().toString().compareTo(last) >= 0) {
          Files.delete(segment);
        }
      }
    }
    server.start(settings);
    try (Connection connection = server.connect("postgres")) {
      run(connection, "create table behind_the_crash (i int)");
    }
  }
}
