package dev.ebb.walservice.topic;

import dev.ebb.shared.error.EbbException;
import dev.ebb.walservice.log.LogRecord;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads ranges of partitions with consumers that are kept for the next read, because a new one
 * costs some milliseconds to connect. So many reads go on at once; others wait their turn.
 */
final class TopicReaders implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(TopicReaders.class);
  private static final int MAX_CONSUMERS = 4;
  private static final Duration POLL = Duration.ofMillis(200);

  private final Map<String, Object> common;
  private final Semaphore turns = new Semaphore(MAX_CONSUMERS, true);
  private final ArrayDeque<KafkaConsumer<byte[], byte[]>> idle = new ArrayDeque<>();
  private boolean closed;

  TopicReaders(Map<String, Object> common) {
    this.common = common;
  }

  void read(
      TopicPartition partition,
      long from,
      long to,
      Predicate<LogRecord.Stored> each,
      Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    try {
      if (!turns.tryAcquire(timeout.toNanos(), TimeUnit.NANOSECONDS)) {
        throw tooSlow(partition, timeout);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptException(e);
    }
    KafkaConsumer<byte[], byte[]> consumer = null;
    boolean reusable = false;
    try {
      consumer = take();
      consumer.assign(List.of(partition));
      consumer.seek(partition, from);
      poll(consumer, partition, to, each, deadline, timeout);
      reusable = true;
    } catch (OffsetOutOfRangeException e) {
      throw new TrimmedException(partition.topic() + " does not have record " + from + " any more");
    } catch (KafkaException e) {
      throw new EbbException.Unavailable(
          "reading topic " + partition.topic() + " failed: " + e.getMessage(), e);
    } finally {
      if (consumer != null) {
        giveBack(consumer, reusable);
      }
      turns.release();
    }
  }

  private static void poll(
      KafkaConsumer<byte[], byte[]> consumer,
      TopicPartition partition,
      long to,
      Predicate<LogRecord.Stored> each,
      long deadline,
      Duration timeout) {
    while (consumer.position(partition, timeout) < to) {
      if (System.nanoTime() - deadline > 0) {
        throw tooSlow(partition, timeout);
      }
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
        if (record.offset() >= to || !each.test(TopicFormat.decode(record))) {
          return;
        }
      }
    }
  }

  private static EbbException.Unavailable tooSlow(TopicPartition partition, Duration timeout) {
    return new EbbException.Unavailable(
        "reading topic "
            + partition.topic()
            + " took longer than "
            + timeout.toMillis()
            + " ms: is Kafka reachable?");
  }

  private KafkaConsumer<byte[], byte[]> take() {
    synchronized (idle) {
      if (closed) {
        throw new EbbException.Unavailable("the WAL service is stopping");
      }
      KafkaConsumer<byte[], byte[]> consumer = idle.poll();
      if (consumer != null) {
        return consumer;
      }
    }
    var settings = new java.util.HashMap<>(common);
    settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
    settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
    settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 10_000);
    settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 8 << 20);
    settings.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, 100);
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private void giveBack(KafkaConsumer<byte[], byte[]> consumer, boolean reusable) {
    synchronized (idle) {
      if (reusable && !closed) {
        consumer.unsubscribe();
        idle.push(consumer);
        return;
      }
    }
    close(consumer);
  }

  private static void close(KafkaConsumer<byte[], byte[]> consumer) {
    try {
      consumer.close(org.apache.kafka.clients.consumer.CloseOptions.timeout(Duration.ofSeconds(1)));
    } catch (KafkaException e) {
      log.debug("a consumer did not close cleanly", e);
    }
  }

  @Override
  public void close() {
    List<KafkaConsumer<byte[], byte[]>> all;
    synchronized (idle) {
      closed = true;
      all = List.copyOf(idle);
      idle.clear();
    }
    all.forEach(TopicReaders::close);
  }
}
