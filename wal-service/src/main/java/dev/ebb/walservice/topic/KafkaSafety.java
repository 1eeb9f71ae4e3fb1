package dev.ebb.walservice.topic;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What a Kafka must be like for an acknowledged commit to last: that much of it does not depend on
 * single topics, which {@code KafkaTopics.verify} sets and checks one by one ({@code
 * min.insync.replicas}, {@code unclean.leader.election.enable}, {@code max.message.bytes}, no
 * retention).
 */
final class KafkaSafety {
  private static final String REQUEST_BYTES = "socket.request.max.bytes";

  private KafkaSafety() {}

  /**
   * A broker.
   *
   * @param settings those that it runs with; none where it does not answer now
   */
  record Broker(String id, Map<String, String> settings) {}

  /** Each a sentence that says what to do; none where all is well. */
  static List<String> problems(KafkaConfig config, List<Broker> brokers) {
    List<String> problems = new ArrayList<>();
    if (brokers.size() < config.replicationFactor()) {
      problems.add(
          "there are %d brokers for kafka.replicationFactor %d: add brokers, or keep fewer copies"
              .formatted(brokers.size(), config.replicationFactor()));
    }
    if (config.minInsyncReplicas() < 2 && !config.flushEveryRecord()) {
      problems.add(
          "kafka.minInsyncReplicas is 1: a commit would count once one broker has it in memory;"
              + " set it to 2, with a kafka.replicationFactor of 3");
    }
    for (Broker broker : brokers) {
      String bytes = broker.settings().get(REQUEST_BYTES);
      if (bytes != null && Long.parseLong(bytes) < 2L * KafkaTopics.MAX_RECORD_BYTES) {
        problems.add(
            "broker %s has %s=%s, so that WAL may be too large for it: set it to %d at least"
                .formatted(broker.id(), REQUEST_BYTES, bytes, 2L * KafkaTopics.MAX_RECORD_BYTES));
      }
    }
    return problems;
  }
}
