package dev.ebb.walservice;

import dev.ebb.walservice.topic.KafkaConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What the WAL service is told at start.
 *
 * @param kafka where the logs are
 * @param spoolDirectory for temporary files with WAL that a recovery reads
 * @param maxInFlightBytes WAL of one branch that may be on its way into Kafka
 * @param openTimeout how long opening a log may take
 */
public record WalServiceConfig(
    KafkaConfig kafka, Path spoolDirectory, int maxInFlightBytes, Duration openTimeout) {
  private static final int DEFAULT_IN_FLIGHT_BYTES = 8 << 20;
  private static final Duration DEFAULT_OPEN_TIMEOUT = Duration.ofSeconds(25);

  public WalServiceConfig {
    List<String> wrong = new ArrayList<>();
    if (maxInFlightBytes < 1 << 20) {
      wrong.add("maxInFlightBytes must be at least 1 MiB, not " + maxInFlightBytes);
    }
    if (openTimeout.isNegative() || openTimeout.isZero()) {
      wrong.add("openTimeout must be positive, not " + openTimeout);
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", wrong));
    }
  }

  /** With the usual bounds. */
  public static WalServiceConfig of(KafkaConfig kafka, Path spoolDirectory) {
    return new WalServiceConfig(
        kafka, spoolDirectory, DEFAULT_IN_FLIGHT_BYTES, DEFAULT_OPEN_TIMEOUT);
  }
}
