package dev.ebb.walservice.topic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;

/** With the producer that Kafka's clients bring for tests: it keeps what it is given. */
final class ReopenedProducerTest {
  private static final ProducerRecord<byte[], byte[]> RECORD =
      new ProducerRecord<>("topic", 0, new byte[1], new byte[1]);

  private final List<MockProducer<byte[], byte[]>> opened = new ArrayList<>();
  private final List<Exception> outcomes = new ArrayList<>();
  private final ReopenedProducer producer = new ReopenedProducer(this::open);

  private MockProducer<byte[], byte[]> open() {
    var next =
        new MockProducer<>(false, null, new ByteArraySerializer(), new ByteArraySerializer());
    opened.add(next);
    return next;
  }

  private void send() {
    producer.send(RECORD, (metadata, error) -> outcomes.add(error));
  }

  @Test
  void producerThatRefusesEverythingIsReplacedAndTheNextRecordGoesOut() {
    send();
    opened.getFirst().sendException = new KafkaException("it is in an error state");

    assertThatThrownBy(this::send).isInstanceOf(KafkaException.class);
    send();
    assertThat(opened.getLast().completeNext()).isTrue();

    assertThat(opened).hasSize(2);
    assertThat(opened.getFirst().closed()).isTrue();
    assertThat(opened.getLast().history()).hasSize(1);
    assertThat(outcomes).containsExactly((Exception) null);
  }

  @Test
  void closedProducerIsNotReplaced() {
    producer.close();

    assertThatThrownBy(this::send).isInstanceOf(IllegalStateException.class);

    assertThat(opened).hasSize(1);
  }
}
