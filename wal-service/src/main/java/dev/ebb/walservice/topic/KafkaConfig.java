package dev.ebb.walservice.topic;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * How the Kafka is reached that holds the logs.
 *
 * @param bootstrapServers {@code host:port[,host:port...]}
 * @param client more settings of every Kafka client, such as security ones; may hold secrets
 * @param replicationFactor of the topics
 * @param minInsyncReplicas how many replicas have a record before it is acknowledged
 * @param flushEveryRecord whether a broker writes through to disk before it acknowledges: for a
 *     replication factor of 1
 * @param unsafe whether a Kafka that may lose what it acknowledged is used all the same
 */
public record KafkaConfig(
    String bootstrapServers,
    Map<String, String> client,
    int replicationFactor,
    int minInsyncReplicas,
    boolean flushEveryRecord,
    boolean unsafe) {

  public KafkaConfig {
    List<String> wrong = new ArrayList<>();
    if (bootstrapServers.isBlank()) {
      wrong.add("Kafka's bootstrap servers are missing");
    }
    if (replicationFactor < 1 || replicationFactor > Short.MAX_VALUE) {
      wrong.add("Kafka's replication factor must be at least 1, not " + replicationFactor);
    }
    if (minInsyncReplicas < 1 || minInsyncReplicas > replicationFactor) {
      wrong.add(
          "Kafka's min.insync.replicas must be from 1 to the replication factor, not "
              + minInsyncReplicas);
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", wrong));
    }
    client = Map.copyOf(client);
  }

  /** For a single broker: one replica, on disk before it is acknowledged. */
  public static KafkaConfig oneReplica(String bootstrapServers) {
    return new KafkaConfig(bootstrapServers, Map.of(), 1, 1, true, false);
  }

  @Override
  public String toString() {
    return "KafkaConfig["
        + bootstrapServers
        + ", replicationFactor="
        + replicationFactor
        + ", minInsyncReplicas="
        + minInsyncReplicas
        + ", flushEveryRecord="
        + flushEveryRecord
        + "]";
  }
}
