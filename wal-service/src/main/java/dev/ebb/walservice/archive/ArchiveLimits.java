package dev.ebb.walservice.archive;

import java.time.Duration;

/**
 * When a log is archived.
 *
 * @param walBytes once so much WAL is in the topic and not in the archive
 * @param age once the oldest WAL that is not in the archive was seen so long ago
 */
public record ArchiveLimits(long walBytes, Duration age) {
  private static final long DEFAULT_WAL_BYTES = 16 << 20;
  private static final Duration DEFAULT_AGE = Duration.ofMinutes(10);

  public ArchiveLimits {
    if (walBytes < 1 || age.isNegative() || age.isZero()) {
      throw new IllegalArgumentException("walBytes and age must be positive");
    }
  }

  public static ArchiveLimits defaults() {
    return new ArchiveLimits(DEFAULT_WAL_BYTES, DEFAULT_AGE);
  }
}
