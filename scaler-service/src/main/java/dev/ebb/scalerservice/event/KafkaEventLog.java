package dev.ebb.scalerservice.event;

import dev.ebb.shared.bus.ScalerMessage.ScaleEvent;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Appends scale events to {@link #TOPIC}, in order, from a thread of its own. While Kafka is away
 * events wait in a bounded queue and are tried again; those that find it full are dropped and
 * counted. An event may be appended twice: its id tells.
 */
public final class KafkaEventLog implements EventLog {
  /** Created where it is missing; key: branch id; value: JSON. */
  public static final String TOPIC = "ebb-scale-events";

  static final int QUEUE_CAPACITY = 1_024;
  private static final Duration RETENTION = Duration.ofDays(7);
  private static final int CALL_TIMEOUT_MS = 5_000;
  private static final long RETRY_PAUSE_MS = 1_000;
  private static final Duration DRAIN_AT_CLOSE = Duration.ofSeconds(2);

  private static final Logger log = LoggerFactory.getLogger(KafkaEventLog.class);

  private final Map<String, String> clientProperties;
  private final int replicationFactor;
  private final BlockingQueue<ScaleEvent> queue = new ArrayBlockingQueue<>(QUEUE_CAPACITY);
  private final Counter dropped;
  private final Thread thread;
  private volatile boolean closing;
  private boolean failing;

  /**
   * Starts the thread; Kafka need not be there yet.
   *
   * @param clientProperties at least {@code bootstrap.servers}
   */
  public KafkaEventLog(
      Map<String, String> clientProperties, int replicationFactor, MeterRegistry meters) {
    this.clientProperties = Map.copyOf(clientProperties);
    this.replicationFactor = replicationFactor;
    this.dropped =
        Counter.builder("ebb.scaler.events.dropped")
            .description("Scale events that did not reach Kafka")
            .register(meters);
    Gauge.builder("ebb.scaler.events.queued", queue, BlockingQueue::size)
        .description("Scale events that wait for Kafka")
        .register(meters);
    this.thread = Thread.ofPlatform().name("ebb-scale-events").daemon().start(this::run);
  }

  @Override
  public void append(ScaleEvent event) {
    if (closing || !queue.offer(event)) {
      dropped.increment();
    }
  }

  @Override
  public void close() {
    closing = true;
    try {
      // The thread waits for its next event for a second at most; then it sees `closing`.
      thread.join(DRAIN_AT_CLOSE);
      thread.interrupt();
      thread.join(DRAIN_AT_CLOSE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    dropped.increment(queue.size());
    queue.clear();
  }

  private void run() {
    @Nullable Producer<byte[], byte[]> producer = null;
    @Nullable ScaleEvent event = null;
    try {
      while (true) {
        event = event != null ? event : queue.poll(RETRY_PAUSE_MS, TimeUnit.MILLISECONDS);
        if (event == null) {
          if (closing) {
            return;
          }
          continue;
        }
        try {
          producer = producer != null ? producer : connect();
          send(producer, event);
          event = null;
          recovered();
        } catch (RuntimeException | ExecutionException | TimeoutException e) {
          failed(e);
          // A new one looks for the topic again, which may have been deleted.
          close(producer);
          producer = null;
          if (closing) {
            return;
          }
          Thread.sleep(RETRY_PAUSE_MS);
        }
      }
    } catch (InterruptedException e) {
      log.debug("closed before all events were written");
    } finally {
      if (event != null) {
        dropped.increment();
      }
      close(producer);
    }
  }

  private static void close(@Nullable Producer<?, ?> producer) {
    if (producer != null) {
      producer.close(Duration.ZERO);
    }
  }

  private static void send(Producer<byte[], byte[]> producer, ScaleEvent event)
      throws InterruptedException, ExecutionException, TimeoutException {
    byte[] key = event.branch().value().getBytes(StandardCharsets.UTF_8);
    producer
        .send(new ProducerRecord<>(TOPIC, key, EventJson.encode(event)))
        .get(2L * CALL_TIMEOUT_MS, TimeUnit.MILLISECONDS);
  }

  private Producer<byte[], byte[]> connect()
      throws InterruptedException, ExecutionException, TimeoutException {
    createTopic();
    Map<String, Object> properties = new HashMap<>(clientProperties);
    properties.put("acks", "all");
    properties.put("linger.ms", 0);
    properties.put("max.block.ms", CALL_TIMEOUT_MS);
    properties.put("request.timeout.ms", CALL_TIMEOUT_MS);
    properties.put("delivery.timeout.ms", CALL_TIMEOUT_MS);
    return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private void createTopic() throws InterruptedException, ExecutionException, TimeoutException {
    Map<String, Object> properties = new HashMap<>(clientProperties);
    properties.put("request.timeout.ms", CALL_TIMEOUT_MS);
    properties.put("default.api.timeout.ms", CALL_TIMEOUT_MS);
    var topic =
        new NewTopic(TOPIC, Optional.of(1), Optional.of((short) replicationFactor))
            .configs(
                Map.of(
                    TopicConfig.RETENTION_MS_CONFIG,
                    Long.toString(RETENTION.toMillis()),
                    TopicConfig.CLEANUP_POLICY_CONFIG,
                    TopicConfig.CLEANUP_POLICY_DELETE));
    Admin admin = Admin.create(properties);
    try {
      admin.createTopics(List.of(topic)).all().get(2L * CALL_TIMEOUT_MS, TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (!(e.getCause() instanceof TopicExistsException)) {
        throw e;
      }
    } finally {
      admin.close(Duration.ZERO);
    }
  }

  private void failed(Exception e) {
    if (!failing) {
      log.warn("scale events wait, Kafka does not take them: {}", e.toString());
    }
    failing = true;
  }

  private void recovered() {
    if (failing) {
      log.info("Kafka takes scale events again");
    }
    failing = false;
  }
}
