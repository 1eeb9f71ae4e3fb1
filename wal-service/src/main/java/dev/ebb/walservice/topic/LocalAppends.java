package dev.ebb.walservice.topic;

import dev.ebb.shared.error.EbbException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;

/**
 * Appends to the broker in this process and holds each acknowledgement back until the record is on
 * disk. A {@link GuardedThread} does all of it itself; any other thread, which somebody might
 * interrupt, has it done.
 */
final class LocalAppends implements AutoCloseable {
  private final LocalBroker broker;
  private final SyncedAcks acks;

  /** For those who are no guarded threads. Never interrupted: closed by {@code shutdown}. */
  private final ExecutorService others = Executors.newVirtualThreadPerTaskExecutor();

  LocalAppends(LocalBroker broker) {
    this.broker = broker;
    this.acks = new SyncedAcks(broker);
  }

  void append(ProducerRecord<byte[], byte[]> record, LogTopics.Appended appended) {
    if (Thread.currentThread() instanceof GuardedThread thread) {
      thread.guard(() -> appendHere(record, appended));
      return;
    }
    // Waits, so that records of one thread stay in order.
    var task = CompletableFuture.runAsync(() -> appendHere(record, appended), others);
    try {
      task.get();
    } catch (InterruptedException e) {
      // It goes on all the same, and tells of its end.
      Thread.currentThread().interrupt();
    } catch (ExecutionException e) {
      throw new IllegalStateException("an append broke off", e.getCause());
    }
  }

  /**
   * Returns when the topic is on disk up to the record, which Kafka has acknowledged.
   *
   * @throws EbbException.NotFound where the topic was deleted
   */
  void flush(String topic, long offset) {
    try {
      CompletableFuture.runAsync(() -> acks.flush(topic, offset), others).join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof EbbException known) {
        throw known;
      }
      throw new EbbException.Unavailable("topic " + topic + " could not be synced", e);
    }
  }

  void forget(String topic) {
    broker.forget(topic);
  }

  private void appendHere(ProducerRecord<byte[], byte[]> record, LogTopics.Appended appended) {
    long offset;
    try {
      offset = broker.append(record);
    } catch (RuntimeException e) {
      appended.done(-1, e);
      return;
    } catch (Error e) {
      // Whoever waits for this record must hear of its end, whatever it was.
      appended.done(-1, new KafkaException("an append broke off", e));
      return;
    }
    acks.acknowledged(record.topic(), offset, appended);
  }

  @Override
  public void close() {
    others.shutdown();
  }
}
