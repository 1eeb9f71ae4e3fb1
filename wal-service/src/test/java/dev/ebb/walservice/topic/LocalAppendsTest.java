package dev.ebb.walservice.topic;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.junit.jupiter.api.Test;

final class LocalAppendsTest {
  private final List<String> heard = new ArrayList<>();

  /** A broker that fails with what it is told to. */
  private record Failing(Throwable trouble) implements LocalBroker {
    @Override
    public long append(ProducerRecord<byte[], byte[]> record) {
      if (trouble instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) trouble;
    }

    @Override
    public void sync(String topic, long unsyncedFrom, long unsyncedTo) {
      throw new AssertionError("nothing was appended");
    }

    @Override
    public void forget(String topic) {}
  }

  private void append(Throwable trouble) {
    try (var appends = new LocalAppends(new Failing(trouble))) {
      appends.append(
          new ProducerRecord<>("t", 0, new byte[0], new byte[0]),
          (offset, error) -> heard.add(offset + " " + error));
    }
  }

  @Test
  void appendThatFailsIsHeardOf() {
    append(new KafkaException("refused"));
    assertThat(heard).singleElement().asString().startsWith("-1 ").contains("refused");
  }

  @Test
  void appendThatEndsInAnErrorIsHeardOf() {
    append(new OutOfMemoryError("a test's"));
    assertThat(heard).singleElement().asString().startsWith("-1 ").contains("broke off");
  }
}
