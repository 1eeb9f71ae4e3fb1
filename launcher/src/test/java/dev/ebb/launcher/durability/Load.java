package dev.ebb.launcher.durability;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Writers, each on a thread and a connection of its own, which come back after every error. Started
 * and stopped many times; while it is stopped the tables can be compared with what it knows.
 */
final class Load {
  private static final Duration STOP = Duration.ofMinutes(2);
  private static final Duration ANSWER = Duration.ofMinutes(2);
  private static final long BACKOFF_MS = 50;

  private final Door door;
  private final List<Writer> writers;
  private final List<Thread> threads = new ArrayList<>();
  private final List<String> damage = new CopyOnWriteArrayList<>();
  private final List<String> errors = new CopyOnWriteArrayList<>();
  private CountDownLatch stopping = new CountDownLatch(1);

  /** Where connections come from. */
  @FunctionalInterface
  interface Door {
    Connection connect() throws SQLException;
  }

  Load(Site site, List<Writer> writers) {
    this(site::connect, writers);
  }

  Load(Door door, List<Writer> writers) {
    this.door = door;
    this.writers = writers;
  }

  void prepare() throws Exception {
    try (Connection connection = connect()) {
      for (Writer writer : writers) {
        writer.prepare(connection);
      }
    }
  }

  void start() {
    var stop = new CountDownLatch(1);
    stopping = stop;
    for (Writer writer : writers) {
      threads.add(Thread.ofPlatform().name(writer.name()).start(() -> run(writer, stop)));
    }
  }

  /** Lets every writer finish what it is at; what is still open then is in doubt. */
  void stop() throws InterruptedException {
    stopping.countDown();
    long deadline = System.nanoTime() + STOP.toNanos();
    for (Thread thread : threads) {
      thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
      if (thread.isAlive()) {
        throw new AssertionError(thread.getName() + " waits for an answer since " + STOP);
      }
    }
    threads.clear();
    if (!damage.isEmpty()) {
      throw new AssertionError("errors that no kill explains: " + damage);
    }
  }

  private void run(Writer writer, CountDownLatch stop) {
    try {
      while (stop.getCount() > 0) {
        try (Connection connection = door.connect()) {
          boolean again = true;
          while (again && stop.getCount() > 0) {
            again = writer.write(connection);
          }
        } catch (SQLException e) {
          errors.add(writer.name() + ": " + e.getSQLState() + " " + e.getMessage());
          note(writer, e);
          boolean _ = stop.await(BACKOFF_MS, TimeUnit.MILLISECONDS);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (AssertionError e) {
      damage.add(writer.name() + ": " + e.getMessage());
    }
  }

  /**
   * Keeps errors that speak of the data, not of the connection: what a statement finds (22, 23,
   * 42), PostgreSQL's own words on files (58) and on damage (XX).
   */
  private void note(Writer writer, SQLException error) {
    String state = String.valueOf(error.getSQLState());
    if (state.startsWith("22")
        || state.startsWith("23")
        || state.startsWith("42")
        || state.startsWith("58")
        || state.startsWith("XX")) {
      damage.add(writer.name() + ": " + state + " " + error.getMessage());
    }
  }

  /** A connection, as soon as there is one. */
  Connection connect() throws Exception {
    long deadline = System.nanoTime() + ANSWER.toNanos();
    while (true) {
      try {
        return door.connect();
      } catch (SQLException e) {
        if (System.nanoTime() > deadline) {
          throw e;
        }
        boolean _ = new CountDownLatch(1).await(BACKOFF_MS, TimeUnit.MILLISECONDS);
      }
    }
  }

  /**
   * Compares everything.
   *
   * @return how many writes were in doubt until now
   */
  int verify(Connection connection) throws SQLException {
    int inDoubt = 0;
    for (Writer writer : writers) {
      inDoubt += writer.verify(connection);
    }
    return inDoubt;
  }

  /** What went wrong with the writers' connections, all of which they come back from. */
  List<String> errors() {
    return List.copyOf(errors);
  }

  int acknowledged() {
    return writers.stream().mapToInt(Writer::acknowledged).sum();
  }

  /** The writer that has been acknowledged least. */
  int leastAcknowledged() {
    return writers.stream().mapToInt(Writer::acknowledged).min().orElse(0);
  }
}
