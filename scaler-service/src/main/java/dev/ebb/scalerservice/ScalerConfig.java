package dev.ebb.scalerservice;

import dev.ebb.scalerservice.decide.SuspendPolicy;
import dev.ebb.shared.model.BranchAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What the scaler is told.
 *
 * @param idleTimeout for branches that {@code branchIdleTimeouts} does not name; zero is never
 * @param branchIdleTimeouts zero is never
 * @param tick how often it decides
 * @param kafka client properties, at least {@code bootstrap.servers}
 * @param replicationFactor of the topic of scale events, where it has to be created
 */
public record ScalerConfig(
    Duration idleTimeout,
    Map<BranchAddress, Duration> branchIdleTimeouts,
    Duration tick,
    Map<String, String> kafka,
    int replicationFactor) {
  public static final Duration DEFAULT_IDLE_TIMEOUT = Duration.ofMinutes(5);
  public static final Duration DEFAULT_TICK = Duration.ofSeconds(1);

  public ScalerConfig {
    branchIdleTimeouts = Map.copyOf(branchIdleTimeouts);
    kafka = Map.copyOf(kafka);
    List<String> wrong = new ArrayList<>();
    if (idleTimeout.isNegative()) {
      wrong.add("the idle timeout is negative (0 is never)");
    }
    branchIdleTimeouts.forEach((branch, timeout) -> {
      if (timeout.isNegative()) {
        wrong.add("the idle timeout of " + branch + " is negative (0 is never)");
      }
    });
    if (tick.toMillis() < 1) {
      wrong.add("the tick is shorter than a millisecond");
    }
    if (kafka.getOrDefault("bootstrap.servers", "").isBlank()) {
      wrong.add("Kafka's bootstrap.servers is missing");
    }
    if (replicationFactor < 1 || replicationFactor > Short.MAX_VALUE) {
      wrong.add("the replication factor " + replicationFactor + " is not in 1 to 32767");
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException("scaler: " + String.join("; ", wrong));
    }
  }

  /** The usual tick, one idle timeout for all, a broker that stands alone. */
  public static ScalerConfig of(String bootstrapServers, Duration idleTimeout) {
    return new ScalerConfig(
        idleTimeout, Map.of(), DEFAULT_TICK, Map.of("bootstrap.servers", bootstrapServers), 1);
  }

  SuspendPolicy policy() {
    Map<String, Long> overrides = new HashMap<>();
    branchIdleTimeouts.forEach(
        (branch, timeout) -> overrides.put(branch.toString(), timeout.toMillis()));
    return new SuspendPolicy(idleTimeout.toMillis(), overrides);
  }

  /** Without Kafka's client properties: a password may be among them. */
  @Override
  public String toString() {
    return "ScalerConfig[idleTimeout=" + idleTimeout + ", tick=" + tick + ", kafka=***]";
  }
}
