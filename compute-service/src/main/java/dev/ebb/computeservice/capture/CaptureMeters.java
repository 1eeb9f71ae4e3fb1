package dev.ebb.computeservice.capture;

import dev.ebb.computeservice.audit.CaptureAudit;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.FileKey;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.BaseUnits;
import java.util.concurrent.TimeUnit;

/** The captures of this host's running computes as metrics. */
public final class CaptureMeters {
  private final MeterRegistry meters;
  private final Timer whole;
  private final Timer checkpoint;
  private final Timer audit;
  private final Timer commit;
  private final Counter changed;
  private final Counter uploaded;
  private final Counter late;
  private final Counter unmarked;

  public CaptureMeters(MeterRegistry meters) {
    this.meters = meters;
    whole = timer("ebb.capture", "Captures of running computes that became snapshots");
    checkpoint = timer("ebb.capture.checkpoint", "Their checkpoints");
    audit = timer("ebb.capture.audit", "Their audits against the WAL");
    commit = timer("ebb.capture.commit", "How long a commit took in the middle of each");
    changed = bytes("ebb.capture.changed", "Pages that they found changed");
    uploaded = bytes("ebb.capture.uploaded", "What they wrote to the object store");
    late = counter("ebb.capture.late", "Pages that an audit waited for to reach their file");
    unmarked =
        counter(
            "ebb.capture.unmarked",
            "Changed pages that only an audit found: never, if all is well");
  }

  private Timer timer(String name, String description) {
    return Timer.builder(name).description(description).register(meters);
  }

  private Counter bytes(String name, String description) {
    return Counter.builder(name)
        .description(description)
        .baseUnit(BaseUnits.BYTES)
        .register(meters);
  }

  private Counter counter(String name, String description) {
    return Counter.builder(name).description(description).register(meters);
  }

  void checkpointed(long nanos) {
    checkpoint.record(nanos, TimeUnit.NANOSECONDS);
  }

  void audited(CaptureAudit.Result result, long nanos) {
    audit.record(nanos, TimeUnit.NANOSECONDS);
    late.increment(result.late());
    unmarked.increment(result.unmarked());
  }

  void committed(long nanos) {
    commit.record(nanos, TimeUnit.NANOSECONDS);
  }

  void captured(int pages, long bytesWritten, long nanos) {
    whole.record(nanos, TimeUnit.NANOSECONDS);
    changed.increment((double) pages * FileKey.BLOCK_BYTES);
    uploaded.increment((double) bytesWritten);
  }

  void failed(Exception error) {
    meters
        .counter(
            "ebb.capture.failures",
            "reason",
            error instanceof EbbException known
                ? known.getClass().getSimpleName().toLowerCase(java.util.Locale.ROOT)
                : "other")
        .increment();
  }
}
