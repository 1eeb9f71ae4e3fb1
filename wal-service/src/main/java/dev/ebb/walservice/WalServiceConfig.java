package dev.ebb.walservice;

import dev.ebb.walservice.archive.ArchiveLimits;
import dev.ebb.walservice.broker.EmbeddedBroker;
import dev.ebb.walservice.send.WalSenderConfig;
import dev.ebb.walservice.topic.KafkaConfig;
import dev.ebb.walservice.topic.LocalBroker;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the WAL service is told at start.
 *
 * @param kafka where the logs are
 * @param local the broker, where it is in this process; null for any other
 * @param spoolDirectory for temporary files with WAL that a recovery reads
 * @param maxInFlightBytes WAL of one branch that may be on its way into Kafka
 * @param openTimeout how long opening a log may take
 * @param archive when WAL goes to the object store
 * @param primaryTimeout a primary that says nothing for so long is gone: it is connected to anew
 * @param sender how standbys reach the WAL sender; null: there is none
 */
public record WalServiceConfig(
    KafkaConfig kafka,
    @Nullable LocalBroker local,
    Path spoolDirectory,
    int maxInFlightBytes,
    Duration openTimeout,
    ArchiveLimits archive,
    Duration primaryTimeout,
    @Nullable WalSenderConfig sender) {
  private static final int DEFAULT_IN_FLIGHT_BYTES = 8 << 20;
  private static final Duration DEFAULT_OPEN_TIMEOUT = Duration.ofSeconds(25);

  /** As long as the primary waits for us ({@code wal_sender_timeout}). */
  public static final Duration DEFAULT_PRIMARY_TIMEOUT = Duration.ofSeconds(10);

  private static final Duration MIN_PRIMARY_TIMEOUT = Duration.ofSeconds(2);

  public WalServiceConfig {
    List<String> wrong = new ArrayList<>();
    if (maxInFlightBytes < 1 << 20) {
      wrong.add("maxInFlightBytes must be at least 1 MiB, not " + maxInFlightBytes);
    }
    if (openTimeout.isNegative() || openTimeout.isZero()) {
      wrong.add("openTimeout must be positive, not " + openTimeout);
    }
    if (primaryTimeout.compareTo(MIN_PRIMARY_TIMEOUT) < 0) {
      wrong.add("primaryTimeout must be at least 2 s, not " + primaryTimeout);
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", wrong));
    }
  }

  /** For a Kafka elsewhere, with the usual bounds. */
  public static WalServiceConfig of(KafkaConfig kafka, Path spoolDirectory) {
    return withDefaults(kafka, null, spoolDirectory);
  }

  /** For the broker in this process, which is started, with the usual bounds. */
  public static WalServiceConfig embedded(EmbeddedBroker broker, Path spoolDirectory) {
    return withDefaults(
        KafkaConfig.oneReplica(broker.bootstrapServers()), broker.local(), spoolDirectory);
  }

  private static WalServiceConfig withDefaults(
      KafkaConfig kafka, @Nullable LocalBroker local, Path spoolDirectory) {
    return new WalServiceConfig(
        kafka,
        local,
        spoolDirectory,
        DEFAULT_IN_FLIGHT_BYTES,
        DEFAULT_OPEN_TIMEOUT,
        ArchiveLimits.defaults(),
        DEFAULT_PRIMARY_TIMEOUT,
        null);
  }

  /** The same with other limits. */
  public WalServiceConfig withArchive(ArchiveLimits limits) {
    return new WalServiceConfig(
        kafka,
        local,
        spoolDirectory,
        maxInFlightBytes,
        openTimeout,
        limits,
        primaryTimeout,
        sender);
  }

  /** The same with a WAL sender. */
  public WalServiceConfig withSender(WalSenderConfig listening) {
    return new WalServiceConfig(
        kafka,
        local,
        spoolDirectory,
        maxInFlightBytes,
        openTimeout,
        archive,
        primaryTimeout,
        listening);
  }

  /** The same with another bound for silence. */
  public WalServiceConfig withPrimaryTimeout(Duration timeout) {
    return new WalServiceConfig(
        kafka, local, spoolDirectory, maxInFlightBytes, openTimeout, archive, timeout, sender);
  }
}
