package dev.ebb.walservice.topic;

import java.time.Duration;
import java.util.function.Supplier;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InterruptException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A producer that is replaced where it cannot go on. An idempotent producer that met an error which
 * it cannot resolve (it was not authorized for a moment, a broker disowned it) refuses every record
 * from then on (Kafka's {@code TransactionManager}, its state {@code FATAL_ERROR}), of all topics
 * and for ever. What it had in flight fails, and is in doubt to those who sent it. Thread-safe.
 */
final class ReopenedProducer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ReopenedProducer.class);

  private final Supplier<Producer<byte[], byte[]>> open;
  private Producer<byte[], byte[]> present;
  private boolean closed;

  ReopenedProducer(Supplier<Producer<byte[], byte[]>> open) {
    this.open = open;
    this.present = open.get();
  }

  /**
   * Sends as {@code Producer.send} does.
   *
   * @throws KafkaException where it is not sent; the next record may be
   */
  void send(ProducerRecord<byte[], byte[]> record, Callback callback) {
    Producer<byte[], byte[]> used = present();
    try {
      // The callback tells all that the future would.
      var _ = used.send(record, callback);
    } catch (InterruptException e) {
      throw e;
    } catch (KafkaException e) {
      // What is the matter with one record, or for the moment, comes back by the callback.
      replace(used, e);
      throw e;
    }
  }

  private synchronized Producer<byte[], byte[]> present() {
    return present;
  }

  @SuppressWarnings("ReferenceEquality") // this very producer failed
  private synchronized void replace(Producer<byte[], byte[]> failed, KafkaException why) {
    if (closed || present != failed) {
      return;
    }
    log.warn("Kafka's producer cannot go on and is replaced: {}", why.getMessage());
    present = open.get();
    // Whoever waits for what it had in flight must hear of it now.
    failed.close(Duration.ZERO);
  }

  @Override
  public synchronized void close() {
    closed = true;
    // Nothing waits for what is unacknowledged: nobody was told that it is durable.
    present.close(Duration.ZERO);
  }
}
