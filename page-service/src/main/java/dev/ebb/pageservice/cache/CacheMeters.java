package dev.ebb.pageservice.cache;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.function.Supplier;

/** Hits, misses, bytes and latency of one tier. */
final class CacheMeters {
  private final Counter hits;
  private final Counter misses;
  private final Counter bytes;
  private final Timer latency;

  CacheMeters(MeterRegistry meters, String tier) {
    hits = requests(meters, tier, "hit");
    misses = requests(meters, tier, "miss");
    bytes =
        Counter.builder("ebb.page.cache.bytes")
            .description("Bytes of records that a tier answered with")
            .baseUnit("bytes")
            .tag("tier", tier)
            .register(meters);
    latency =
        Timer.builder("ebb.page.cache.latency")
            .description("Time that a tier took to answer")
            .tag("tier", tier)
            .register(meters);
  }

  private static Counter requests(MeterRegistry meters, String tier, String result) {
    return Counter.builder("ebb.page.cache.chunks")
        .description("Chunks asked of a tier")
        .tag("tier", tier)
        .tag("result", result)
        .register(meters);
  }

  /** What a tier holds in this process. */
  static void size(MeterRegistry meters, String tier, Supplier<Number> bytes) {
    Gauge.builder("ebb.page.cache.size", bytes)
        .description("Bytes that a tier holds in this process")
        .baseUnit("bytes")
        .tag("tier", tier)
        .register(meters);
  }

  void answered(int hitCount, int missCount, long byteCount) {
    hits.increment(hitCount);
    misses.increment(missCount);
    bytes.increment((double) byteCount);
  }

  Timer latency() {
    return latency;
  }
}
