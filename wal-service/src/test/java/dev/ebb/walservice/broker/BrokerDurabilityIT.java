package dev.ebb.walservice.broker;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.Await;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.topic.GuardedThread;
import dev.ebb.walservice.topic.KafkaConfig;
import dev.ebb.walservice.topic.KafkaTopics;
import dev.ebb.walservice.topic.LocalBroker;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an acknowledgement of the embedded broker is worth. */
class BrokerDurabilityIT {
  private static final Duration TIMEOUT = Duration.ofSeconds(20);
  private static final Term TERM = new Term(new Generation(1), 7);

  @TempDir Path dir;

  @Test
  void aRecordIsInTheSyncedFileWhenItIsAcknowledged() throws Exception {
    BranchId branch = BranchId.random();
    byte[] marker = "a marker that nothing else contains".getBytes(StandardCharsets.UTF_8);
    var found = new CompletableFuture<Boolean>();
    var syncing = new AtomicReference<>(Boolean.FALSE);
    try (var broker = new EmbeddedBroker(dir, 0)) {
      broker.start();
      try (var topics =
          new KafkaTopics(
              KafkaConfig.oneReplica(broker.bootstrapServers()),
              new Observed(
                  broker.local(),
                  // The bytes that the sync is about to write through include the record.
                  topic -> syncing.set(segmentsContain(topic, marker))))) {
        topics.create(branch, TIMEOUT);
        topics.append(
            branch,
            LogRecord.wal(TERM, new Lsn(100), marker),
            (offset, error) -> found.complete(error == null && syncing.get()));
        assertThat(found.get(20, TimeUnit.SECONDS)).isTrue();
      }
    }
  }

  private interface BeforeSync {
    void about(String topic) throws IOException;
  }

  private record Observed(LocalBroker broker, BeforeSync before) implements LocalBroker {
    @Override
    public long append(ProducerRecord<byte[], byte[]> record) {
      return broker.append(record);
    }

    @Override
    public void sync(String topic, long unsyncedFrom, long unsyncedTo) throws IOException {
      before.about(topic);
      broker.sync(topic, unsyncedFrom, unsyncedTo);
    }

    @Override
    public void forget(String topic) {
      broker.forget(topic);
    }
  }

  private boolean segmentsContain(String topic, byte[] marker) throws IOException {
    String wanted = new String(marker, StandardCharsets.ISO_8859_1);
    try (Stream<Path> files = Files.list(dir.resolve("data").resolve(topic + "-0"))) {
      for (Path file : files.filter(f -> f.toString().endsWith(".log")).toList()) {
        if (Files.readString(file, StandardCharsets.ISO_8859_1).contains(wanted)) {
          return true;
        }
      }
    }
    return false;
  }

  @Test
  void interruptsOfWhoeverAppendsDoNotReachKafkasFiles() throws Exception {
    BranchId branch = BranchId.random();
    try (var broker = new EmbeddedBroker(dir, 0)) {
      broker.start();
      try (var topics =
          new KafkaTopics(KafkaConfig.oneReplica(broker.bootstrapServers()), broker.local())) {
        topics.create(branch, TIMEOUT);
        var acknowledged = new AtomicInteger();
        Runnable appends =
            () -> {
              for (int i = 0; i < 500; i++) {
                topics.append(
                    branch,
                    LogRecord.wal(TERM, new Lsn(i + 1), new byte[300]),
                    (offset, error) -> {
                      if (error == null) {
                        acknowledged.incrementAndGet();
                      }
                    });
                var _ = Thread.interrupted();
              }
            };
        List<Thread> threads =
            List.of(
                new GuardedThread("guarded", appends),
                new Thread(appends, "ordinary"),
                Thread.ofVirtual().unstarted(appends));
        threads.forEach(Thread::start);
        while (threads.stream().anyMatch(Thread::isAlive)) {
          threads.forEach(Thread::interrupt);
          Thread.onSpinWait();
        }
        Await.until("all are acknowledged", () -> acknowledged.get() == 1_500);
        assertThat(topics.endOffset(branch, TIMEOUT)).isEqualTo(1_500);
      }
    }
  }

  @Test
  void afterKillOfTheProcessEveryAcknowledgedRecordIsThere() throws Exception {
    BranchId branch = BranchId.random();
    Process child =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                Appending.class.getName(),
                dir.toString(),
                branch.value())
            .redirectErrorStream(true)
            .start();
    long acknowledged = -1;
    List<String> output = new ArrayList<>();
    try (BufferedReader lines = child.inputReader(StandardCharsets.UTF_8)) {
      while (acknowledged < 500) {
        String line = lines.readLine();
        assertThat(line).as("the child's output: %s", output).isNotNull();
        output.add(line);
        if (line.startsWith("acknowledged ")) {
          acknowledged = Long.parseLong(line.substring("acknowledged ".length()));
        }
      }
      child.destroyForcibly().waitFor();
    }
    try (var broker = new EmbeddedBroker(dir, 0)) {
      broker.start();
      try (var topics =
          new KafkaTopics(KafkaConfig.oneReplica(broker.bootstrapServers()), broker.local())) {
        List<LogRecord.Stored> read = new ArrayList<>();
        topics.read(branch, 0, acknowledged + 1, read::add, TIMEOUT);
        assertThat(read).hasSize((int) acknowledged + 1);
        for (LogRecord.Stored stored : read) {
          assertThat(stored.record().lsn()).isEqualTo(new Lsn(stored.offset() + 1));
        }
      }
    }
  }

  /** The child: appends until it is killed, and says what was acknowledged. */
  static final class Appending {
    private Appending() {}

    public static void main(String[] arguments) throws Exception {
      var broker = new EmbeddedBroker(Path.of(arguments[0]), 0);
      broker.start();
      var topics =
          new KafkaTopics(KafkaConfig.oneReplica(broker.bootstrapServers()), broker.local());
      var branch = new BranchId(arguments[1]);
      topics.create(branch, TIMEOUT);
      for (int i = 0; i < 100_000; i++) {
        var done = new CompletableFuture<Void>();
        topics.append(
            branch,
            LogRecord.wal(TERM, new Lsn(i + 1), new byte[300]),
            (offset, error) -> {
              if (error == null) {
                System.out.println("acknowledged " + offset);
              }
              done.complete(null);
            });
        if (i % 10 == 0) {
          done.get(20, TimeUnit.SECONDS);
        }
      }
    }
  }
}
