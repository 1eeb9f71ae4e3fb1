package dev.ebb.launcher.scaler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.scalerservice.event.KafkaEventLog;
import dev.ebb.shared.bus.ScalerMessage.Action;
import dev.ebb.shared.bus.ScalerMessage.Outcome;
import dev.ebb.shared.bus.ScalerMessage.ScaleEvent;
import dev.ebb.shared.model.BranchId;
import dev.ebb.walservice.broker.EmbeddedBroker;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.json.JsonObject;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Scale events in a real Kafka, which comes up late. */
@Timeout(120)
final class ScaleEventsIT {
  private static final int EVENTS = 20;
  private static final Duration DEADLINE = Duration.ofSeconds(60);

  @TempDir Path directory;

  @Test
  void eventsFromBeforeKafkaIsUpArriveInOrderAndForSevenDays() throws Exception {
    int port = freePort();
    var bootstrap = Map.of("bootstrap.servers", "127.0.0.1:" + port);
    var meters = new SimpleMeterRegistry();
    var log = new KafkaEventLog(bootstrap, 1, meters);
    for (int i = 0; i < EVENTS; i++) {
      log.append(event(i));
    }
    try (var broker = new EmbeddedBroker(directory, port)) {
      broker.start();

      List<ConsumerRecord<String, String>> records = read(bootstrap);

      assertThat(records)
          .extracting(record -> new JsonObject(record.value()).getString("id"))
          .containsExactlyElementsOf(ids());
      assertThat(records).extracting(ConsumerRecord::key).containsOnly("b1");
      assertThat(retention(bootstrap)).isEqualTo(Long.toString(Duration.ofDays(7).toMillis()));
      log.close();
    }
    assertThat(meters.get("ebb.scaler.events.dropped").counter().count()).isZero();
  }

  private static List<ConsumerRecord<String, String>> read(Map<String, String> bootstrap) {
    List<ConsumerRecord<String, String>> records = new ArrayList<>();
    try (var consumer =
        new KafkaConsumer<>(
            Map.<String, Object>copyOf(bootstrap),
            new StringDeserializer(),
            new StringDeserializer())) {
      var partition = new TopicPartition(KafkaEventLog.TOPIC, 0);
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      long endNanos = System.nanoTime() + DEADLINE.toNanos();
      while (records.size() < EVENTS && System.nanoTime() < endNanos) {
        consumer.poll(Duration.ofMillis(200)).forEach(records::add);
      }
    }
    return records;
  }

  private static String retention(Map<String, String> bootstrap) throws Exception {
    var topic = new ConfigResource(ConfigResource.Type.TOPIC, KafkaEventLog.TOPIC);
    try (Admin admin = Admin.create(Map.<String, Object>copyOf(bootstrap))) {
      var configs = admin.describeConfigs(List.of(topic)).all().get();
      return configs.values().iterator().next().get("retention.ms").value();
    }
  }

  private static int freePort() throws Exception {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static List<String> ids() {
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < EVENTS; i++) {
      ids.add(event(i).id());
    }
    return ids;
  }

  private static ScaleEvent event(int i) {
    return new ScaleEvent(
        i + "/decided", i, new BranchId("b1"), Action.SUSPEND, "why", "figures", Outcome.DECIDED);
  }
}
