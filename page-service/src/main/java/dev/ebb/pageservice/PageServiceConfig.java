package dev.ebb.pageservice;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What the page service may take.
 *
 * @param chunkCacheBytes of memory for pages, compressed (L1)
 * @param objectCacheBytes of memory for manifests, indexes and boot packs
 * @param sharedCacheMebibytes of each Hazelcast member's heap for pages (L2); 0 for none
 * @param sharedCacheTimeoutMs after which a read goes on without L2
 * @param packBytes a pack is written once its records take this much
 * @param captureBufferBytes that all captures together may hold in memory
 * @param captureIdleMs after which a capture that nobody uses is given up
 * @param compressionLevel zstd's, 1 to 19
 * @param pitrWindowMs how far back a point-in-time branch reaches
 * @param gcIntervalMs how often what nothing reaches is collected and packs are compacted; 0 for
 *     never
 * @param gcGraceMs how old an object must be to be collected: longer than any capture may take
 */
public record PageServiceConfig(
    long chunkCacheBytes,
    long objectCacheBytes,
    int sharedCacheMebibytes,
    long sharedCacheTimeoutMs,
    int packBytes,
    long captureBufferBytes,
    long captureIdleMs,
    int compressionLevel,
    long pitrWindowMs,
    long gcIntervalMs,
    long gcGraceMs) {
  private static final int MIB = 1 << 20;

  public PageServiceConfig {
    List<String> wrong = new ArrayList<>();
    check(wrong, chunkCacheBytes >= MIB, "chunkCacheBytes must be at least 1 MiB");
    check(wrong, objectCacheBytes >= MIB, "objectCacheBytes must be at least 1 MiB");
    check(wrong, sharedCacheMebibytes >= 0, "sharedCacheMebibytes must not be negative");
    check(wrong, sharedCacheTimeoutMs >= 1, "sharedCacheTimeoutMs must be positive");
    check(
        wrong,
        packBytes >= 64 << 10 && packBytes <= 256 * MIB,
        "packBytes must be 64 KiB to 256 MiB");
    check(wrong, captureBufferBytes >= MIB, "captureBufferBytes must be at least 1 MiB");
    check(wrong, captureIdleMs >= 1, "captureIdleMs must be positive");
    check(
        wrong, compressionLevel >= 1 && compressionLevel <= 19, "compressionLevel must be 1 to 19");
    check(wrong, pitrWindowMs >= 0, "pitrWindowMs must not be negative");
    check(wrong, gcIntervalMs >= 0, "gcIntervalMs must not be negative");
    check(wrong, gcGraceMs >= 1, "gcGraceMs must be positive");
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException("page service: " + String.join("; ", wrong));
    }
  }

  private static void check(List<String> wrong, boolean right, String otherwise) {
    if (!right) {
      wrong.add(otherwise);
    }
  }

  /** For one process that runs everything. */
  public static PageServiceConfig defaults() {
    return new PageServiceConfig(
        64L * MIB,
        32L * MIB,
        64,
        50,
        32 * MIB,
        96L * MIB,
        600_000,
        1,
        TimeUnit.DAYS.toMillis(7),
        TimeUnit.HOURS.toMillis(1),
        TimeUnit.HOURS.toMillis(1));
  }
}
