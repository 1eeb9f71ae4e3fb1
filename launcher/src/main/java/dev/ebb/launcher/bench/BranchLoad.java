package dev.ebb.launcher.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** Sessions that write without a pause: an update of a random row and an insert a transaction. */
final class BranchLoad implements AutoCloseable {
  private static final int STATEMENTS_A_SESSION = 500;

  private final List<Thread> threads = new ArrayList<>();
  private final AtomicLong transactions = new AtomicLong();
  private final long beginNanos = System.nanoTime();
  private volatile boolean stopped;

  BranchLoad(Target target, int clients) {
    target.execute("CREATE TABLE IF NOT EXISTS written (number bigint, payload text)");
    for (int i = 0; i < clients; i++) {
      threads.add(Thread.ofVirtual().start(() -> write(target)));
    }
  }

  private void write(Target target) {
    while (!stopped) {
      var statements = new String[STATEMENTS_A_SESSION];
      for (int i = 0; i < statements.length; i++) {
        int id = ThreadLocalRandom.current().nextInt(1, 10_000);
        statements[i] =
            "WITH u AS (UPDATE filler SET payload = payload WHERE id = "
                + id
                + ") INSERT INTO written VALUES ("
                + id
                + ", repeat('x', 100))";
      }
      target.execute(
          () -> {
            transactions.incrementAndGet();
            return !stopped;
          },
          statements);
    }
  }

  long transactionsPerSecond() {
    return transactions.get() * TimeUnit.SECONDS.toNanos(1) / (System.nanoTime() - beginNanos);
  }

  @Override
  public void close() {
    stopped = true;
    for (Thread thread : threads) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }
}
