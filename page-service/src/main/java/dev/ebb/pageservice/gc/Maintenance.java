package dev.ebb.pageservice.gc;

import dev.ebb.shared.store.ObjectStore;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Collects and compacts, one after the other. Blocking; thread-safe. */
public final class Maintenance {
  private static final Logger log = LoggerFactory.getLogger(Maintenance.class);

  private final Lease lease;
  private final Collector collector;
  private final Compactor compactor;
  private final GcMeters meters;
  private final String holder;
  private final ReentrantLock running = new ReentrantLock();

  /**
   * @param holder names this page service among others
   */
  public Maintenance(
      ObjectStore store, Collector collector, Compactor compactor, GcMeters meters, String holder) {
    this.lease = new Lease(store);
    this.collector = collector;
    this.compactor = compactor;
    this.meters = meters;
    this.holder = holder;
  }

  /**
   * What a run did.
   *
   * @param collected what it deleted
   * @param compacted how many branches it compacted; what that left behind goes with a later run
   */
  public record Report(Collector.Report collected, int compacted) {}

  /** Runs, unless another page service did within {@code ms}. */
  public void runPeriodically(long ms) {
    if (!running.tryLock()) {
      return;
    }
    try {
      if (lease.take(holder, ms - ms / 10)) {
        run();
      }
    } catch (RuntimeException e) {
      meters.failed();
      log.warn("nothing is collected this time: {}", e.getMessage());
    } finally {
      running.unlock();
    }
  }

  /** Runs now. */
  public Report run() {
    running.lock();
    try {
      Collector.Found found = collector.run();
      int compacted = compactor.compact(found);
      var report = new Report(found.report(), compacted);
      log.info(
          "collected {} objects of {} bytes, compacted {} branches",
          report.collected().deleted(),
          report.collected().deletedBytes(),
          report.compacted());
      return report;
    } finally {
      running.unlock();
    }
  }
}
