package dev.ebb.launcher.durability;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Prepares transactions and ends earlier ones, of which some stay prepared over kills, captures and
 * suspends. What was acknowledged of each must hold afterwards: a prepared one is there until its
 * end is asked for, and then ends once, in the way that was asked for.
 */
final class TwoPhaseWriter implements Writer {
  private static final int MOST_PREPARED = 8;

  private enum State {
    PREPARING,
    PREPARED,
    COMMITTING,
    COMMITTED,
    ROLLING_BACK,
    ROLLED_BACK
  }

  private final int writer;
  private final Random random;
  private final List<State> states = new ArrayList<>();
  private final AtomicInteger acknowledged = new AtomicInteger();

  TwoPhaseWriter(int writer, long seed) {
    this.writer = writer;
    this.random = new Random(seed);
  }

  @Override
  public String name() {
    return "two-phase-" + writer;
  }

  @Override
  public void prepare(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("CREATE TABLE IF NOT EXISTS two_phase (writer int, number int)");
    }
  }

  @Override
  public boolean write(Connection connection) throws SQLException {
    List<Integer> open = all(State.PREPARED);
    connection.setAutoCommit(true);
    try (Statement statement = connection.createStatement()) {
      if (open.size() < 2 || (open.size() < MOST_PREPARED && random.nextBoolean())) {
        int number = states.size();
        states.add(State.PREPARING);
        statement.execute("BEGIN");
        statement.execute("INSERT INTO two_phase VALUES (%d, %d)".formatted(writer, number));
        statement.execute("PREPARE TRANSACTION '" + gid(number) + "'");
        states.set(number, State.PREPARED);
      } else {
        int number = open.get(random.nextInt(open.size()));
        boolean commits = random.nextInt(4) > 0;
        states.set(number, commits ? State.COMMITTING : State.ROLLING_BACK);
        statement.execute((commits ? "COMMIT" : "ROLLBACK") + " PREPARED '" + gid(number) + "'");
        states.set(number, commits ? State.COMMITTED : State.ROLLED_BACK);
      }
    }
    acknowledged.incrementAndGet();
    return true;
  }

  private String gid(int number) {
    return name() + "-" + number;
  }

  private List<Integer> all(State state) {
    var numbers = new ArrayList<Integer>();
    for (int number = 0; number < states.size(); number++) {
      if (states.get(number) == state) {
        numbers.add(number);
      }
    }
    return numbers;
  }

  @Override
  public int verify(Connection connection) throws SQLException {
    Set<String> prepared =
        read(connection, "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE '" + name() + "-%'");
    Set<String> rows = read(connection, "SELECT number FROM two_phase WHERE writer = " + writer);
    int inDoubt = 0;
    for (int number = 0; number < states.size(); number++) {
      State before = states.get(number);
      boolean isPrepared = prepared.contains(gid(number));
      boolean isThere = rows.contains(String.valueOf(number));
      State now = isPrepared ? State.PREPARED : isThere ? State.COMMITTED : State.ROLLED_BACK;
      boolean possible =
          !(isPrepared && isThere)
              && switch (before) {
                case PREPARING -> now != State.COMMITTED;
                case COMMITTING -> now != State.ROLLED_BACK;
                case ROLLING_BACK -> now != State.COMMITTED;
                case PREPARED, COMMITTED, ROLLED_BACK -> now == before;
              };
      if (!possible) {
        throw new AssertionError(gid(number) + " was " + before + " and is " + now);
      }
      inDoubt += now == before ? 0 : 1;
      states.set(number, now);
    }
    return inDoubt;
  }

  private static Set<String> read(Connection connection, String query) throws SQLException {
    var values = new HashSet<String>();
    try (Statement statement = connection.createStatement();
        ResultSet found = statement.executeQuery(query)) {
      while (found.next()) {
        if (!values.add(found.getString(1))) {
          throw new AssertionError(found.getString(1) + " is there twice");
        }
      }
    }
    return values;
  }

  @Override
  public int acknowledged() {
    return acknowledged.get();
  }
}
