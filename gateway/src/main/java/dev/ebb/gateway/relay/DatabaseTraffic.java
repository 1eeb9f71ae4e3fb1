package dev.ebb.gateway.relay;

import io.micrometer.core.instrument.Timer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/** What is counted of one database's clients, since the gateway's start. For any thread. */
public final class DatabaseTraffic {
  private final String database;
  private final Timer latency;
  private final LongAdder transactions = new LongAdder();
  private final LongAdder statements = new LongAdder();
  private final LongAdder received = new LongAdder();
  private final LongAdder sent = new LongAdder();
  private final LongAdder statementNanos = new LongAdder();
  private final LongAdder waitNanos = new LongAdder();

  DatabaseTraffic(String database, Timer latency) {
    this.database = database;
    this.latency = latency;
  }

  /** Its name, or {@link DatabaseTraffics#OTHERS}. */
  public String database() {
    return database;
  }

  /**
   * Statements were answered, all of them at the same time. A pipeline up to its Sync counts as
   * one.
   *
   * @param nanos since the first of them arrived
   */
  public void statements(long count, long nanos) {
    latency.record(nanos, TimeUnit.NANOSECONDS);
    statements.add(count);
    statementNanos.add(nanos);
  }

  /** So many transactions have ended. */
  public void transactions(long count) {
    transactions.add(count);
  }

  /** Bytes came from clients. */
  public void received(long bytes) {
    received.add(bytes);
  }

  /** Bytes went to clients. */
  public void sent(long bytes) {
    sent.add(bytes);
  }

  /** A client waited for a connection. */
  public void waited(long nanos) {
    waitNanos.add(nanos);
  }

  /** All of it at one moment. */
  public Totals totals() {
    return new Totals(
        transactions.sum(),
        statements.sum(),
        received.sum(),
        sent.sum(),
        statementNanos.sum(),
        waitNanos.sum());
  }

  /**
   * Sums.
   *
   * @param received bytes from clients
   * @param sent bytes to clients
   */
  public record Totals(
      long transactions,
      long statements,
      long received,
      long sent,
      long statementNanos,
      long waitNanos) {}
}
