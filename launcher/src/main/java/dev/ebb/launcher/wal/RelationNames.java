package dev.ebb.launcher.wal;

import dev.ebb.launcher.client.ServerLocation;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Properties;

/** Asks a branch for the file that a relation has now: only its catalog knows. */
final class RelationNames {
  private static final String FILE =
      """
      SELECT coalesce(nullif(c.reltablespace, 0), d.dattablespace)::bigint,
             CASE WHEN c.relisshared THEN 0 ELSE d.oid END::bigint,
             coalesce(pg_relation_filenode(c.oid), 0)::bigint
      FROM pg_class c, pg_database d
      WHERE c.oid = to_regclass(?) AND d.datname = current_database()\
      """;

  private RelationNames() {}

  /** Looks a name up; wakes the branch. */
  static RecordFilter.Relation ask(BranchLogs logs, String name) throws WalFailure {
    ServerLocation server = logs.access().server();
    String password = System.getenv("PGPASSWORD");
    if (server == null || password == null) {
      throw new WalFailure(
          "--relation: to look the name \"%s\" up, the branch is asked: %s; or give the file's"
                  .formatted(
                      name,
                      server == null
                          ? "start the server (./ebb up)"
                          : "set PGPASSWORD to the password of its owner, " + logs.owner())
              + " number (SELECT pg_relation_filenode('"
              + name
              + "'))");
    }
    var properties = new Properties();
    properties.setProperty("user", logs.owner());
    properties.setProperty("password", password);
    properties.setProperty("sslmode", "prefer");
    String url =
        "jdbc:postgresql://%s:%d/%s"
            .formatted(server.gatewayHost(), server.gatewayPort(), logs.name());
    try (Connection connection = DriverManager.getConnection(url, properties);
        PreparedStatement statement = connection.prepareStatement(FILE)) {
      statement.setString(1, name);
      try (ResultSet row = statement.executeQuery()) {
        if (!row.next()) {
          throw new WalFailure(
              "--relation: there is no \"%s\" in %s now; name its schema, or, of one that is gone,"
                      .formatted(name, logs.name())
                  + " the file's number");
        }
        if (row.getLong(3) == 0) {
          throw new WalFailure(
              "--relation: \"" + name + "\" has no file: name a table or an index");
        }
        return new RecordFilter.Relation(
            (int) row.getLong(1), (int) row.getLong(2), (int) row.getLong(3));
      }
    } catch (SQLException e) {
      throw new WalFailure(
          "--relation: %s could not be asked for \"%s\": %s"
              .formatted(logs.name(), name, e.getMessage()));
    }
  }
}
