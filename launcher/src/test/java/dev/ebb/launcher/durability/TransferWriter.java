package dev.ebb.launcher.durability;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.BitSet;
import java.util.Random;

/**
 * Moves money between accounts that other writers use, too, and writes down every move: what the
 * moves say and what the accounts hold must agree.
 */
final class TransferWriter implements Writer {
  private static final int ACCOUNTS = 200;

  private final int writer;
  private final Random random;
  private final Ledger ledger;

  TransferWriter(int writer, long seed) {
    this.writer = writer;
    this.random = new Random(seed);
    this.ledger = new Ledger(name());
  }

  @Override
  public String name() {
    return "transfers-" + writer;
  }

  @Override
  public void prepare(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("CREATE TABLE IF NOT EXISTS account (id int PRIMARY KEY, balance bigint)");
      statement.execute(
          "INSERT INTO account SELECT i, 0 FROM generate_series(1, "
              + ACCOUNTS
              + ") i ON CONFLICT DO NOTHING");
      statement.execute(
          "CREATE TABLE IF NOT EXISTS transfer"
              + " (writer int, number int, source int, target int, amount int)");
      statement.execute("CREATE INDEX IF NOT EXISTS transfer_number ON transfer (writer, number)");
    }
  }

  @Override
  public boolean write(Connection connection) throws SQLException {
    int number = ledger.next();
    // In the order of their numbers, so that two writers never wait for each other.
    int low = 1 + random.nextInt(ACCOUNTS - 1);
    int high = low + 1 + random.nextInt(ACCOUNTS - low);
    int amount = random.nextInt(-100, 100);
    connection.setAutoCommit(false);
    try (PreparedStatement update =
            connection.prepareStatement("UPDATE account SET balance = balance + ? WHERE id = ?");
        PreparedStatement insert =
            connection.prepareStatement("INSERT INTO transfer VALUES (?, ?, ?, ?, ?)")) {
      change(update, low, -amount);
      change(update, high, amount);
      insert.setInt(1, writer);
      insert.setInt(2, number);
      insert.setInt(3, low);
      insert.setInt(4, high);
      insert.setInt(5, amount);
      insert.executeUpdate();
    }
    connection.commit();
    ledger.acknowledge(number);
    return true;
  }

  private static void change(PreparedStatement update, int account, int amount)
      throws SQLException {
    update.setInt(1, amount);
    update.setInt(2, account);
    int rows = update.executeUpdate();
    if (rows != 1) {
      throw new AssertionError("account " + account + " is there " + rows + " times");
    }
  }

  @Override
  public int verify(Connection connection) throws SQLException {
    var present = new BitSet();
    try (Statement statement = connection.createStatement()) {
      try (ResultSet found =
          statement.executeQuery(
              "SELECT number, count(*) FROM transfer WHERE writer = "
                  + writer
                  + " GROUP BY number")) {
        while (found.next()) {
          if (found.getInt(2) != 1) {
            throw new AssertionError(
                name() + ": number " + found.getInt(1) + " is there " + found.getInt(2) + " times");
          }
          present.set(found.getInt(1));
        }
      }
      try (ResultSet wrong =
          statement.executeQuery(
              """
              SELECT count(*), coalesce(sum(balance), 0), string_agg(id::text, ', ')
                  FILTER (WHERE balance <> coalesce(moved, 0))
              FROM account LEFT JOIN (
                SELECT id, sum(amount) AS moved FROM (
                  SELECT source AS id, -amount AS amount FROM transfer
                  UNION ALL SELECT target, amount FROM transfer) moves
                GROUP BY id) sums USING (id)\
              """)) {
        wrong.next();
        if (wrong.getInt(1) != ACCOUNTS || wrong.getLong(2) != 0 || wrong.getString(3) != null) {
          throw new AssertionError(
              "%d accounts, sum %d, not what their transfers say: %s"
                  .formatted(wrong.getInt(1), wrong.getLong(2), wrong.getString(3)));
        }
      }
    }
    return ledger.settle(present);
  }

  @Override
  public int acknowledged() {
    return ledger.acknowledged();
  }
}
