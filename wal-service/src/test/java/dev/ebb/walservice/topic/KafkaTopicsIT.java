package dev.ebb.walservice.topic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.broker.EmbeddedBroker;
import dev.ebb.walservice.log.LogRecord;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KafkaTopicsIT extends LogTopicsContract {
  @TempDir static Path dir;
  private EmbeddedBroker broker;
  private KafkaTopics topics;

  @BeforeAll
  void start() {
    broker = new EmbeddedBroker(dir, 0);
    broker.start();
    topics = new KafkaTopics(KafkaConfig.oneReplica(broker.bootstrapServers()), null);
  }

  @AfterAll
  void stop() {
    topics.close();
    broker.close();
  }

  @Override
  LogTopics topics() {
    return topics;
  }

  @Test
  void aTopicWhoseSettingsWouldDeleteWalIsCorrected() throws Exception {
    BranchId branch = BranchId.random();
    String topic = TopicFormat.topic(branch);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
      var wrong =
          new NewTopic(topic, Optional.of(1), Optional.empty())
              .configs(Map.of("retention.ms", "60000", "cleanup.policy", "compact"));
      admin.createTopics(List.of(wrong)).all().get(20, TimeUnit.SECONDS);
      var _ = topics.verify(branch, Duration.ofSeconds(20));
      var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      // The controller has it first, the broker that is asked a moment later.
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      Config settings = settings(admin, resource);
      while (settings.get("retention.ms").value().equals("60000") && System.nanoTime() < deadline) {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        settings = settings(admin, resource);
      }
      assertThat(settings.get("retention.ms").value()).isEqualTo("-1");
      assertThat(settings.get("retention.bytes").value()).isEqualTo("-1");
      assertThat(settings.get("cleanup.policy").value()).isEqualTo("delete");
      assertThat(settings.get("flush.messages").value()).isEqualTo("1");
    }
  }

  /** Deleted and made again by somebody else: nobody tells the producer. */
  @Test
  void recordsOfATopicThatWasMadeAgainDoNotFollowThoseBefore() throws Exception {
    BranchId branch = BranchId.random();
    topics.create(branch, TIMEOUT);
    for (int i = 0; i < 3; i++) {
      LogRecord record = LogRecord.wal(TERM, new Lsn(100 + i), new byte[1]);
      assertThat(append(branch, record).get(20, TimeUnit.SECONDS)).isEqualTo(i);
    }
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
      admin.deleteTopics(List.of(TopicFormat.topic(branch))).all().get(20, TimeUnit.SECONDS);
    }
    assertThatThrownBy(() -> topics.identity(branch, TIMEOUT))
        .isInstanceOf(EbbException.NotFound.class);
    CompletableFuture<Long> waits = append(branch, LogRecord.wal(TERM, new Lsn(103), new byte[1]));
    assertThat(waits).isNotDone();

    topics.create(branch, TIMEOUT);

    // Which ends whoever wrote there: an offset that does not rise is no acknowledgement.
    assertThat(waits.get(30, TimeUnit.SECONDS)).isZero();
  }

  @Test
  void kafkaThatMayLoseCommitsIsRefusedUnlessToldOtherwise() {
    topics.requireSafe(Duration.ofSeconds(20));
    BranchId branch = BranchId.random();
    topics.create(branch, Duration.ofSeconds(20));
    for (boolean unsafe : List.of(false, true)) {
      var config = new KafkaConfig(broker.bootstrapServers(), Map.of(), 2, 1, false, unsafe);
      try (var careless = new KafkaTopics(config, null)) {
        if (unsafe) {
          assertThat(careless.verify(branch, Duration.ofSeconds(20)))
              .isEqualTo(topics.identity(branch, Duration.ofSeconds(20)));
        } else {
          assertThatThrownBy(() -> careless.verify(branch, Duration.ofSeconds(20)))
              .isInstanceOf(EbbException.Invalid.class)
              .hasMessageContaining("there are 1 brokers for kafka.replicationFactor 2")
              .hasMessageContaining("kafka.minInsyncReplicas is 1")
              .hasMessageEndingWith("; or start with --unsafe");
        }
      }
    }
  }

  private static Config settings(Admin admin, ConfigResource of) throws Exception {
    return Objects.requireNonNull(
        admin.describeConfigs(List.of(of)).all().get(20, TimeUnit.SECONDS).get(of));
  }
}
