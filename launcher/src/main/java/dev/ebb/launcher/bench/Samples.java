package dev.ebb.launcher.bench;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/** Durations, kept in microseconds with three significant digits. */
final class Samples {
  private static final long LONGEST_MICROS = TimeUnit.MINUTES.toMicros(10);

  private final Histogram histogram = new Histogram(LONGEST_MICROS, 3);

  /** In milliseconds; all 0 where there are no samples. */
  record Summary(long count, double minMs, double p50Ms, double p99Ms, double maxMs) {
    Map<String, Object> json() {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("count", count);
      json.put("minMs", minMs);
      json.put("p50Ms", p50Ms);
      json.put("p99Ms", p99Ms);
      json.put("maxMs", maxMs);
      return json;
    }
  }

  void addNanos(long nanos) {
    addMicros(TimeUnit.NANOSECONDS.toMicros(nanos));
  }

  void addMicros(long micros) {
    histogram.recordValue(Math.clamp(micros, 0, LONGEST_MICROS));
  }

  boolean isEmpty() {
    return histogram.getTotalCount() == 0;
  }

  Summary summary() {
    if (isEmpty()) {
      return new Summary(0, 0, 0, 0, 0);
    }
    return new Summary(
        histogram.getTotalCount(),
        histogram.getMinValue() / 1e3,
        histogram.getValueAtPercentile(50) / 1e3,
        histogram.getValueAtPercentile(99) / 1e3,
        histogram.getMaxValue() / 1e3);
  }
}
