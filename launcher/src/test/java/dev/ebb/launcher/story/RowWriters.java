package dev.ebb.launcher.story;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Sessions that insert rows numbered from 1 on, one a commit, and come back by the name when they
 * are ended.
 */
final class RowWriters implements AutoCloseable {
  private static final int PAYLOAD = 200;

  /** Behind a failure: the server may be away. */
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  private final Database database;
  private final AtomicInteger issued = new AtomicInteger();
  private final BitSet acknowledged = new BitSet();
  private final List<String> failures = new CopyOnWriteArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private volatile boolean stopped;

  RowWriters(Database database, int sessions) {
    this.database = database;
    for (int i = 0; i < sessions; i++) {
      threads.add(Thread.ofVirtual().start(this::write));
    }
  }

  private void write() {
    while (!stopped) {
      try (Connection connection = database.connect();
          PreparedStatement insert =
              connection.prepareStatement("INSERT INTO entry VALUES (?, ?)")) {
        while (!stopped) {
          int number = issued.incrementAndGet();
          insert.setInt(1, number);
          insert.setString(2, Integer.toString(number).repeat(PAYLOAD).substring(0, PAYLOAD));
          insert.executeUpdate();
          synchronized (acknowledged) {
            acknowledged.set(number);
          }
        }
      } catch (SQLException e) {
        failures.add(e.getSQLState() + " " + e.getMessage());
        LockSupport.parkNanos(PAUSE_NANOS);
      }
    }
  }

  /** The highest number that was used so far. */
  int issued() {
    return issued.get();
  }

  /** Waits until so many more are acknowledged. */
  void awaitMore(int more, Duration bound) throws Exception {
    int goal = acknowledged() + more;
    Await.until(more + " more rows acknowledged", bound, () -> acknowledged() >= goal);
  }

  private int acknowledged() {
    synchronized (acknowledged) {
      return acknowledged.cardinality();
    }
  }

  /** The numbers that are acknowledged by now. */
  BitSet copy() {
    synchronized (acknowledged) {
      return (BitSet) acknowledged.clone();
    }
  }

  List<String> failures() {
    return failures;
  }

  /** Acknowledged numbers above. */
  BitSet acknowledgedAfter(int number) {
    BitSet all = copy();
    all.clear(0, number + 1);
    return all;
  }

  /** What was acknowledged and is on none of them. */
  List<Integer> missingOf(List<Database> branches) throws SQLException {
    BitSet missing = copy();
    for (Database branch : branches) {
      missing = without(branch, missing);
    }
    return missing.stream().boxed().toList();
  }

  /** What of these a branch does not have. */
  List<Integer> missingAmong(Database branch, BitSet expected) throws SQLException {
    return without(branch, expected).stream().boxed().toList();
  }

  private static BitSet without(Database branch, BitSet expected) throws SQLException {
    var missing = (BitSet) expected.clone();
    try (Connection connection = branch.connect();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT number FROM entry WHERE number > 0")) {
      while (rows.next()) {
        missing.clear(rows.getInt(1));
      }
    }
    return missing;
  }

  void stop() {
    stopped = true;
    try {
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    stop();
  }
}
