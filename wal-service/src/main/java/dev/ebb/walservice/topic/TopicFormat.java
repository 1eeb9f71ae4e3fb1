package dev.ebb.walservice.topic;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.RecordKind;
import dev.ebb.walservice.log.Term;
import java.nio.ByteBuffer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/**
 * A log record as a Kafka record. Key: the LSN, 8 bytes. Value: the raw WAL, or what the kind has.
 * Headers, numbers big-endian: {@code v} format version, {@code k} kind, {@code g} generation,
 * {@code w} writer.
 */
final class TopicFormat {
  private static final byte VERSION = 1;
  private static final byte[] VERSION_BYTES = {VERSION};
  private static final int PARTITION = 0;

  private TopicFormat() {}

  static String topic(BranchId branch) {
    return "ebb-wal-" + branch;
  }

  static ProducerRecord<byte[], byte[]> encode(BranchId branch, LogRecord record) {
    var kafka =
        new ProducerRecord<>(topic(branch), PARTITION, bytes(record.lsn().value()), record.bytes());
    kafka
        .headers()
        .add("v", VERSION_BYTES)
        .add("k", new byte[] {(byte) record.kind().tag()})
        .add("g", bytes(record.term().generation().value()))
        .add("w", bytes(record.term().writer()));
    return kafka;
  }

  static LogRecord.Stored decode(ConsumerRecord<byte[], byte[]> kafka) {
    byte[] version = header(kafka, "v", 1);
    if (version[0] != VERSION) {
      throw corrupt(kafka, "has format version " + version[0] + ", which this Ebb does not know");
    }
    RecordKind kind = kind(kafka, header(kafka, "k", 1)[0]);
    long generation = number(header(kafka, "g", Long.BYTES));
    long writer = number(header(kafka, "w", Long.BYTES));
    byte @Nullable [] key = kafka.key();
    byte @Nullable [] value = kafka.value();
    if (key == null || key.length != Long.BYTES || value == null || generation < 0) {
      throw corrupt(kafka, "is no record of a log");
    }
    var term = new Term(new Generation(generation), writer);
    return new LogRecord.Stored(
        kafka.offset(), new LogRecord(kind, term, new Lsn(number(key)), value));
  }

  private static RecordKind kind(ConsumerRecord<byte[], byte[]> kafka, byte tag) {
    return RecordKind.ofTag(tag).orElseThrow(() -> corrupt(kafka, "is of an unknown kind " + tag));
  }

  private static byte[] header(ConsumerRecord<byte[], byte[]> kafka, String name, int length) {
    Header header = kafka.headers().lastHeader(name);
    if (header == null || header.value() == null || header.value().length != length) {
      throw corrupt(kafka, "lacks its header " + name);
    }
    return header.value();
  }

  private static EbbException.Corrupt corrupt(ConsumerRecord<byte[], byte[]> kafka, String what) {
    return new EbbException.Corrupt(
        "record " + kafka.offset() + " of topic " + kafka.topic() + " " + what);
  }

  private static byte[] bytes(long number) {
    return ByteBuffer.allocate(Long.BYTES).putLong(number).array();
  }

  private static long number(byte[] bytes) {
    return ByteBuffer.wrap(bytes).getLong();
  }
}
