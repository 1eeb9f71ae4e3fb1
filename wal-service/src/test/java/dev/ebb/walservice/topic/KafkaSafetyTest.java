package dev.ebb.walservice.topic;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.walservice.topic.KafkaSafety.Broker;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class KafkaSafetyTest {
  private static final Broker BROKER =
      new Broker("1", Map.of("socket.request.max.bytes", "104857600"));

  private static List<String> problems(int replicas, int inSync, List<Broker> brokers) {
    return KafkaSafety.problems(
        new KafkaConfig("kafka:9092", Map.of(), replicas, inSync, replicas == 1, false), brokers);
  }

  @Test
  void threeCopiesOfWhichTwoCountAreSafeAndSoIsOneThatIsOnDisk() {
    assertThat(problems(3, 2, Collections.nCopies(3, BROKER))).isEmpty();
    assertThat(problems(2, 2, Collections.nCopies(3, BROKER))).isEmpty();
    assertThat(problems(1, 1, List.of(BROKER))).isEmpty();
  }

  @Test
  void whatOneBrokersMemoryHasIsNotEnough() {
    assertThat(problems(2, 1, Collections.nCopies(2, BROKER)))
        .singleElement()
        .asString()
        .contains("kafka.minInsyncReplicas is 1")
        .contains("set it to 2");
  }

  @Test
  void tooFewBrokersAndTooSmallRequestsAreTold() {
    var small = new Broker("7", Map.of("socket.request.max.bytes", "1000000"));
    assertThat(problems(3, 2, List.of(BROKER, small)))
        .hasSize(2)
        .anyMatch(
            problem -> problem.startsWith("there are 2 brokers for kafka.replicationFactor 3"))
        .anyMatch(problem -> problem.startsWith("broker 7 has socket.request.max.bytes=1000000"));
  }
}
