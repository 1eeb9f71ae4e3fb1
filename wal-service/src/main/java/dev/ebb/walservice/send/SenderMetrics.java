package dev.ebb.walservice.send;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/** What the WAL sender counts. */
final class SenderMetrics {
  private final Counter bytes;
  private final Counter refused;
  private final Counter crowdedOut;
  private final MultiGauge lag;
  private final Supplier<List<SenderStatus>> senders;

  SenderMetrics(MeterRegistry meters, Supplier<List<SenderStatus>> senders) {
    this.senders = senders;
    bytes =
        Counter.builder("ebb.wal.sender.sent")
            .description("WAL that was sent to standbys")
            .baseUnit("bytes")
            .register(meters);
    refused =
        Counter.builder("ebb.wal.sender.refused")
            .description("logins that failed")
            .register(meters);
    crowdedOut =
        Counter.builder("ebb.wal.sender.crowded.out")
            .description("connections that ended for others before they had logged in")
            .register(meters);
    Gauge.builder("ebb.wal.senders", senders, all -> all.get().size())
        .description("standbys that WAL is streamed to")
        .register(meters);
    lag =
        MultiGauge.builder("ebb.wal.sender.lag")
            .description("from what a standby sent, wrote, flushed, applied to the durable end")
            .baseUnit("bytes")
            .register(meters);
  }

  void sent(int count) {
    bytes.increment(count);
  }

  void loginCrowdedOut() {
    crowdedOut.increment();
  }

  void loginRefused() {
    refused.increment();
  }

  /** Brings the figures of each standby up to date; asked now and then. */
  void refresh() {
    List<MultiGauge.Row<?>> rows = new ArrayList<>();
    for (SenderStatus status : senders.get()) {
      row(rows, status, "sent", s -> behind(s, s.sent().value()));
      row(rows, status, "write", s -> behind(s, s.write().value()));
      row(rows, status, "flush", s -> behind(s, s.flush().value()));
      row(rows, status, "apply", s -> behind(s, s.apply().value()));
    }
    lag.register(rows, true);
  }

  private static double behind(SenderStatus status, long position) {
    return position == 0 ? Double.NaN : Math.max(0, status.end().value() - position);
  }

  private static void row(
      List<MultiGauge.Row<?>> rows,
      SenderStatus status,
      String stage,
      ToDoubleFunction<SenderStatus> value) {
    rows.add(
        MultiGauge.Row.of(
            Tags.of(
                "branch", status.branch().toString(),
                "client", status.client(),
                "stage", stage),
            value.applyAsDouble(status)));
  }
}
