package dev.ebb.launcher.durability;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Random;

/**
 * Makes, truncates, rewrites and drops a table of its own. Every transaction fills the table with
 * its own number, so that the last one that was acknowledged, or one in doubt after it, must be
 * there as a whole.
 */
final class TableWriter implements Writer {
  private final String table;
  private final Random random;
  private final Ledger ledger;
  private int seen = -1;

  TableWriter(int writer, long seed) {
    this.table = "own_" + writer;
    this.random = new Random(seed);
    this.ledger = new Ledger(name());
  }

  @Override
  public String name() {
    return "table-" + table;
  }

  @Override
  public void prepare(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      create(statement);
    }
  }

  private void create(Statement statement) throws SQLException {
    statement.execute("CREATE TABLE " + table + " (number int, row int PRIMARY KEY, payload text)");
  }

  /** A function of the number; some fill many pages, a few are empty. */
  private static int rowsOf(int number) {
    return number % 7 == 6 ? 0 : 50 + number * 389 % 4000;
  }

  @Override
  public boolean write(Connection connection) throws SQLException {
    int number = ledger.next();
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      switch (random.nextInt(5)) {
        case 0 -> {
          statement.execute("TRUNCATE " + table);
          fill(statement, number);
        }
        case 1 -> {
          statement.execute("DROP TABLE " + table);
          create(statement);
          fill(statement, number);
          index(statement);
        }
        case 2 -> {
          statement.execute("DELETE FROM " + table);
          fill(statement, number);
        }
        case 3 -> {
          statement.execute("TRUNCATE " + table);
          fill(statement, number);
          index(statement);
          statement.execute("CLUSTER " + table + " USING " + table + "_pkey");
        }
        default -> {
          // Built outside shared buffers, with its WAL inserted page by page.
          statement.execute("CREATE TABLE " + table + "_new AS " + rows(number));
          statement.execute("ALTER TABLE " + table + "_new ADD PRIMARY KEY (row)");
          statement.execute("DROP TABLE " + table);
          statement.execute("ALTER TABLE " + table + "_new RENAME TO " + table);
          statement.execute("ALTER INDEX " + table + "_new_pkey RENAME TO " + table + "_pkey");
        }
      }
      connection.commit();
      ledger.acknowledge(number);
      rearrange(connection, statement);
    }
    return true;
  }

  /** What changes no row, acknowledged or not. */
  private void rearrange(Connection connection, Statement statement) throws SQLException {
    connection.setAutoCommit(true);
    switch (random.nextInt(4)) {
      case 0 -> statement.execute("VACUUM FULL " + table);
      case 1 -> statement.execute("REINDEX TABLE " + table);
      case 2 -> statement.execute("VACUUM (FREEZE, TRUNCATE) " + table);
      default -> {}
    }
  }

  private static String rows(int number) {
    return "SELECT "
        + number
        + " AS number, i AS row, repeat(md5((i * "
        + number
        + ")::text), 1 + i % 8) AS payload FROM generate_series(1, "
        + rowsOf(number)
        + ") i";
  }

  private void fill(Statement statement, int number) throws SQLException {
    statement.execute("INSERT INTO " + table + " " + rows(number));
  }

  private void index(Statement statement) throws SQLException {
    statement.execute("CREATE INDEX IF NOT EXISTS " + table + "_by ON " + table + " (payload)");
  }

  @Override
  public int verify(Connection connection) throws SQLException {
    int last = Math.max(ledger.lastAcknowledged(), seen);
    try (Statement statement = connection.createStatement();
        ResultSet found =
            statement.executeQuery(
                """
                SELECT count(*), min(number), max(number), count(DISTINCT row),
                  count(*) FILTER
                    (WHERE payload <> repeat(md5((row * number)::text), 1 + row % 8))
                FROM\
                """
                    + " "
                    + table)) {
      found.next();
      int rows = found.getInt(1);
      // Only numbers of empty tables leave no trace of themselves.
      int number = rows > 0 ? found.getInt(2) : firstEmpty(last);
      // A suspend and a kill may each have left one behind the last that is in doubt.
      boolean known = number >= last && number < ledger.tried();
      if (!known
          || (number >= 0 && rows != rowsOf(number))
          || rows != found.getInt(4)
          || (rows > 0 && found.getInt(3) != number)
          || found.getInt(5) != 0) {
        throw new AssertionError(
            "%s: %d rows from %d to %d, %d different, %d damaged; acknowledged %d (%d), tried %d"
                .formatted(
                    name(),
                    rows,
                    found.getInt(2),
                    found.getInt(3),
                    found.getInt(4),
                    found.getInt(5),
                    last,
                    last < 0 ? 0 : rowsOf(last),
                    ledger.tried() - 1));
      }
      seen = number;
      return ledger.tried() - 1 - last;
    }
  }

  /** The first number from the last known one on that an empty table can have. */
  private int firstEmpty(int last) {
    int number = last;
    while (number >= 0 && rowsOf(number) > 0) {
      number++;
    }
    return number;
  }

  @Override
  public int acknowledged() {
    return ledger.acknowledged();
  }
}
