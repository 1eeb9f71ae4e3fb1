package dev.ebb.walservice.broker;

import java.lang.reflect.Field;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import kafka.server.BrokerServer;
import kafka.server.KafkaRaftServer;
import kafka.server.ReplicaManager;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.ProduceResponse.PartitionResponse;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.BoxedUnit;

/**
 * Hands records to the broker's replica manager, as its handler of produce requests does ({@code
 * KafkaApis.handleProduceRequest}). Everything behind it is Kafka's: validation, the order in the
 * partition, the high watermark, waiting consumers.
 */
final class LogAppender {
  private static final short ALL_IN_SYNC_REPLICAS = -1;
  private static final Duration ACKNOWLEDGED_WITHIN = Duration.ofSeconds(10);

  /** The controller confirms a new topic a moment before the broker leads it. */
  private static final long LEADS_WITHIN_NANOS = Duration.ofSeconds(5).toNanos();

  private static final long LOOK_AGAIN_NANOS = Duration.ofMillis(2).toNanos();

  private final ReplicaManager replicas;

  private LogAppender(ReplicaManager replicas) {
    this.replicas = replicas;
  }

  /**
   * Of a server that is started and is a broker. Kafka's server keeps its parts to itself; making
   * the parts here instead would repeat how it starts and stops them.
   */
  static LogAppender of(KafkaRaftServer server) {
    try {
      Field field = KafkaRaftServer.class.getDeclaredField("broker");
      field.setAccessible(true);
      var broker = (BrokerServer) ((scala.Option<?>) field.get(server)).get();
      return new LogAppender(broker.replicaManager());
    } catch (ReflectiveOperationException | ClassCastException e) {
      throw new IllegalStateException("this version of Kafka has its broker elsewhere", e);
    }
  }

  /** The record's offset; the broker has it, not yet the disk. */
  long append(ProducerRecord<byte[], byte[]> record) {
    long deadline = System.nanoTime() + LEADS_WITHIN_NANOS;
    var partition = new TopicPartition(record.topic(), Objects.requireNonNull(record.partition()));
    while (true) {
      PartitionResponse response = appendOnce(partition, record);
      if (response.error == Errors.NONE) {
        return response.baseOffset;
      }
      if (!isNotYetLeading(response.error) || System.nanoTime() - deadline > 0) {
        throw new KafkaException(
            "record of " + partition + " not appended: " + response.error.message(),
            response.error.exception());
      }
      LockSupport.parkNanos(LOOK_AGAIN_NANOS);
    }
  }

  /** Of these the record is certainly not in the log. */
  private static boolean isNotYetLeading(Errors error) {
    return error == Errors.UNKNOWN_TOPIC_OR_PARTITION
        || error == Errors.UNKNOWN_TOPIC_ID
        || error == Errors.NOT_LEADER_OR_FOLLOWER;
  }

  private PartitionResponse appendOnce(
      TopicPartition partition, ProducerRecord<byte[], byte[]> record) {
    Uuid topicId = replicas.metadataCache().getTopicId(partition.topic());
    if (topicId.equals(Uuid.ZERO_UUID)) {
      return new PartitionResponse(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    }
    var target = new TopicIdPartition(topicId, partition);
    var answer = new CompletableFuture<PartitionResponse>();
    replicas.appendRecords(
        ACKNOWLEDGED_WITHIN.toMillis(),
        ALL_IN_SYNC_REPLICAS,
        false,
        AppendOrigin.CLIENT,
        CollectionConverters.asScala(Map.of(target, batch(record))),
        responses -> {
          answer.complete(Objects.requireNonNull(responses.get(target)));
          return BoxedUnit.UNIT;
        },
        replicas.appendRecords$default$7(),
        replicas.appendRecords$default$8(),
        replicas.appendRecords$default$9(),
        replicas.appendRecords$default$10());
    // Whoever waits for records of this partition is told by these.
    replicas.tryCompleteActions();
    return await(answer);
  }

  private static MemoryRecords batch(ProducerRecord<byte[], byte[]> record) {
    return MemoryRecords.withRecords(
        Compression.NONE,
        new SimpleRecord(
            System.currentTimeMillis(), record.key(), record.value(), record.headers().toArray()));
  }

  private static PartitionResponse await(CompletableFuture<PartitionResponse> answer) {
    try {
      return answer.get(2 * ACKNOWLEDGED_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptException(e);
    } catch (ExecutionException | TimeoutException e) {
      throw new KafkaException("the broker does not answer", e);
    }
  }
}
