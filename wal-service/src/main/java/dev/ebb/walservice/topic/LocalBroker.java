package dev.ebb.walservice.topic;

import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;

/**
 * A broker in this process, which takes records without a connection: what a commit waits for is
 * then one thread that writes, and waits for the disk, in place of six that hand over to each
 * other. {@code docs/decisions/0006-appending-in-process.md} has the figures.
 */
public interface LocalBroker extends TopicSync {

  /**
   * Appends a record as a producer with {@code acks=all} would; returns when the broker has it,
   * which is before it is on disk. Waits for a topic that the broker has not heard of yet.
   *
   * @return the record's offset
   * @throws KafkaException where it failed, or where nobody knows whether it did
   */
  long append(ProducerRecord<byte[], byte[]> record);

  /** The topic is deleted, or about to be: files that are kept open for it may be closed. */
  void forget(String topic);
}
