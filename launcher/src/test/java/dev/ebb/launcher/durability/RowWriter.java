package dev.ebb.launcher.durability;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.BitSet;
import java.util.Random;

/**
 * Inserts rows with numbers that never come again: one row a commit, or several in a transaction,
 * which must be there together or not at all.
 */
final class RowWriter implements Writer {
  private final int writer;
  private final int maxRows;
  private final boolean shortSessions;
  private final Random random;
  private final Ledger ledger;

  /**
   * Makes the writer.
   *
   * @param writer tells the writers' rows apart
   * @param maxRows of one transaction; 1: every row commits by itself
   * @param shortSessions whether every commit takes a connection of its own
   */
  RowWriter(int writer, int maxRows, boolean shortSessions, long seed) {
    this.writer = writer;
    this.maxRows = maxRows;
    this.shortSessions = shortSessions;
    this.random = new Random(seed);
    this.ledger = new Ledger(name());
  }

  @Override
  public String name() {
    return "rows-" + writer;
  }

  @Override
  public void prepare(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      // No unique index: nothing but Ebb may keep a row from being there twice.
      statement.execute(
          "CREATE TABLE IF NOT EXISTS entry (writer int, number int, row int, payload text)");
      statement.execute("CREATE INDEX IF NOT EXISTS entry_number ON entry (writer, number)");
      statement.execute("CREATE INDEX IF NOT EXISTS entry_payload ON entry (payload)");
    }
  }

  /** A function of the number, so that a look at the table tells whether a transaction is whole. */
  private int rowsOf(int number) {
    return 1 + number % maxRows;
  }

  @Override
  public boolean write(Connection connection) throws SQLException {
    int number = ledger.next();
    connection.setAutoCommit(maxRows == 1);
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO entry VALUES (?, ?, ?, ?)")) {
      for (int row = 0; row < rowsOf(number); row++) {
        insert.setInt(1, writer);
        insert.setInt(2, number);
        insert.setInt(3, row);
        insert.setString(4, Long.toHexString(random.nextLong()).repeat(1 + random.nextInt(20)));
        insert.executeUpdate();
      }
    }
    if (maxRows > 1) {
      connection.commit();
    }
    ledger.acknowledge(number);
    return !shortSessions;
  }

  @Override
  public int verify(Connection connection) throws SQLException {
    var present = new BitSet();
    try (Statement statement = connection.createStatement();
        ResultSet found =
            statement.executeQuery(
                "SELECT number, count(*), count(DISTINCT row) FROM entry WHERE writer = "
                    + writer
                    + " GROUP BY number")) {
      while (found.next()) {
        int number = found.getInt(1);
        if (found.getInt(2) != rowsOf(number) || found.getInt(3) != rowsOf(number)) {
          throw new AssertionError(
              "%s: %d rows, %d of them different, of number %d, which has %d"
                  .formatted(name(), found.getInt(2), found.getInt(3), number, rowsOf(number)));
        }
        present.set(number);
      }
    }
    return ledger.settle(present);
  }

  @Override
  public int acknowledged() {
    return ledger.acknowledged();
  }
}
