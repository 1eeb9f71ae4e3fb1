package dev.ebb.computeservice.provision;

import java.security.SecureRandom;
import java.time.Clock;

/** Makes the identifiers of clusters: every database and every branch has its own. */
final class SystemIdentifiers {
  private final Clock clock;
  private final SecureRandom random = new SecureRandom();

  SystemIdentifiers(Clock clock) {
    this.clock = clock;
  }

  /** Seconds since the epoch above random bits: the way PostgreSQL makes one, {@code xlog.c}. */
  long next() {
    return (clock.millis() / 1_000) << 32 | (random.nextInt() & 0xFFFFFFFFL);
  }
}
