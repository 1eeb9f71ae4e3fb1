package dev.ebb.walservice.session;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** What the WAL service counts. */
public final class WalMetrics {
  final Counter appendedBytes;
  final Counter fenced;
  final Counter reopened;
  final Timer appendToDurable;
  final AtomicLong undurableBytes = new AtomicLong();
  private final Counter archivedBytes;
  private final Counter archiveObjectBytes;
  private final Counter trims;
  private final AtomicInteger receivers = new AtomicInteger();

  public WalMetrics(MeterRegistry meters) {
    appendedBytes = meters.counter("ebb.wal.appended.bytes");
    fenced = meters.counter("ebb.wal.fenced");
    reopened = meters.counter("ebb.wal.reopened");
    archivedBytes =
        Counter.builder("ebb.wal.archived")
            .description("WAL that was copied to the object store")
            .baseUnit("bytes")
            .register(meters);
    archiveObjectBytes =
        Counter.builder("ebb.wal.archive.stored")
            .description("what it takes there")
            .baseUnit("bytes")
            .register(meters);
    trims =
        Counter.builder("ebb.wal.trims")
            .description("how often the beginning of a topic was given up")
            .register(meters);
    appendToDurable =
        Timer.builder("ebb.wal.append")
            .description("from the append of WAL until it may be acknowledged")
            .publishPercentiles(0.5, 0.99)
            .register(meters);
    meters.gauge("ebb.wal.undurable.bytes", undurableBytes);
    meters.gauge("ebb.wal.receivers", receivers);
  }

  public void receiverStarted() {
    receivers.incrementAndGet();
  }

  public void receiverEnded() {
    receivers.decrementAndGet();
  }

  /** A session was opened again because it could not tell what was appended. */
  public void sessionReopened() {
    reopened.increment();
  }

  /** WAL went to the object store. */
  public void archived(long walBytes, long objectBytes) {
    archivedBytes.increment((double) walBytes);
    archiveObjectBytes.increment((double) objectBytes);
  }

  /** A topic begins later now. */
  public void trimmed() {
    trims.increment();
  }
}
