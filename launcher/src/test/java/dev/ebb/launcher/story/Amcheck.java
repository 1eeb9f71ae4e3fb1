package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** PostgreSQL's own check of tables and B-trees, over everything in a database, catalogs too. */
final class Amcheck {
  private static final String TABLES =
      """
      SELECT c.oid::regclass, v.blkno, v.offnum, v.msg
      FROM pg_class c, LATERAL verify_heapam(c.oid, check_toast => true) v
      WHERE c.relkind IN ('r', 'm', 't', 'S') AND c.relpersistence <> 't'
        AND (c.relkind <> 'S' OR current_setting('server_version_num')::int >= 160000)
      """;
  private static final String INDEXES =
      """
      SELECT c.oid::regclass, bt_index_check(c.oid, heapallindexed => true)
      FROM pg_class c
        JOIN pg_am a ON a.oid = c.relam
        JOIN pg_index i ON i.indexrelid = c.oid
      WHERE c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND c.relpersistence <> 't'
      """;

  private Amcheck() {}

  /** Fails with what is damaged; wakes the database. */
  static void assertSound(Database database) throws Exception {
    try (Connection connection = database.connectAsAdmin()) {
      try (Statement statement = connection.createStatement()) {
        statement.execute("CREATE EXTENSION IF NOT EXISTS amcheck");
      }
      assertSound(database.name(), connection);
    }
  }

  /** The same over a superuser's connection, where the extension is there already. */
  static void assertSound(String what, Connection connection) throws Exception {
    try (Statement statement = connection.createStatement()) {
      List<String> damages = new ArrayList<>();
      try (ResultSet found = statement.executeQuery(TABLES)) {
        while (found.next()) {
          damages.add(
              found.getString(1)
                  + " block "
                  + found.getLong(2)
                  + " line "
                  + found.getInt(3)
                  + ": "
                  + found.getString(4));
        }
      }
      assertThat(damages).as("verify_heapam on " + what).isEmpty();
      int indexes = 0;
      try (ResultSet checked = statement.executeQuery(INDEXES)) {
        while (checked.next()) {
          indexes++;
        }
      }
      assertThat(indexes).as("B-trees that were checked").isGreaterThan(100);
    }
  }
}
