package dev.ebb.walservice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.walservice.archive.Archiver;
import dev.ebb.walservice.history.Histories;
import dev.ebb.walservice.history.KnownRecords;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.receive.Sighting;
import dev.ebb.walservice.record.WalPages;
import dev.ebb.walservice.session.LogSession;
import dev.ebb.walservice.session.WalMetrics;
import dev.ebb.walservice.topic.KafkaConfig;
import dev.ebb.walservice.topic.MemoryTopics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.ConnectException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What requests do to the logs that an instance holds, without a Kafka or a PostgreSQL. */
final class LogsTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final int SEGMENT = 1 << 20;
  private static final Lsn REDO = new Lsn(0x2000028);
  private static final Lsn END = new Lsn(0x20000A0);

  @TempDir private Path directory;

  private final BranchId branch = BranchId.random();
  private final MemoryTopics topics = new MemoryTopics();
  private ObjectStore store;
  private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();

  /** Attempts of receivers to reach their primaries, all of which are refused. */
  private final AtomicInteger attempts = new AtomicInteger();

  /** What is heard of every primary. */
  private volatile Sighting sighting = Sighting.ANNOUNCED;

  /** What becomes of a receiver that tries to reach its primary; null where it tries on. */
  private volatile @Nullable Error defect;

  private Instance one;

  /** One wal-service. */
  private final class Instance {
    final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    final Logs logs;

    Instance() {
      var config = WalServiceConfig.of(KafkaConfig.oneReplica("unused:1"), directory);
      var metrics = new WalMetrics(meters);
      var known = new KnownRecords(store);
      logs =
          new Logs(
              topics,
              new Histories(topics, known, directory, Clock.systemUTC()),
              known,
              config,
              (primary, start) -> {
                attempts.incrementAndGet();
                Error now = defect;
                if (now != null) {
                  throw now;
                }
                throw new SQLException("refused", "08001", new ConnectException("refused"));
              },
              (asked, generation) -> sighting,
              metrics,
              new Archiver(topics, store, config.archive(), metrics),
              executor);
    }

    double receivers() {
      return meters.get("ebb.wal.receivers").gauge().value();
    }

    void startReceiver(long generation) throws InterruptedException {
      logs.startReceiver(
          new WalMessage.StartReceiver(
              branch,
              new Generation(generation),
              END,
              7,
              "127.0.0.1",
              1,
              "ebb_admin",
              new Secret("password"),
              new Secret("standby")));
    }

    Lsn durable(long generation) throws InterruptedException {
      return logs.awaitDurable(
              new WalMessage.AwaitDurable(branch, new Generation(generation), Lsn.INVALID, 100))
          .lsn();
    }
  }

  private WalMessage.OpenLog openLog(long generation, Lsn redo, boolean closed) {
    return new WalMessage.OpenLog(
        branch, new Generation(generation), redo, END, true, closed, SEGMENT, -1);
  }

  @BeforeEach
  void start() {
    store = new LocalObjectStore(directory.resolve("store"));
    one = new Instance();
    topics.create(branch, TIMEOUT);
  }

  @AfterEach
  void stop() throws InterruptedException {
    one.logs.close();
    executor.shutdownNow();
  }

  private void assertThatTheReceiverGoesOn(Instance instance) {
    assertThat(instance.receivers()).isEqualTo(1);
    int before = attempts.get();
    Await.until("further attempts of the receiver", () -> attempts.get() > before);
  }

  @Test
  void repeatedOpenOfTheSameGenerationLeavesItsReceiverAlone() throws Exception {
    assertThat(one.logs.open(openLog(3, REDO, true))).isEqualTo(END);
    one.startReceiver(3);
    long records = topics.endOffset(branch, TIMEOUT);

    assertThat(one.logs.open(openLog(3, REDO, true))).isEqualTo(END);
    assertThat(one.logs.open(openLog(3, REDO, false))).isEqualTo(END);

    assertThat(topics.endOffset(branch, TIMEOUT)).as("no further fence").isEqualTo(records);
    assertThat(one.durable(3)).isEqualTo(END);
    assertThatTheReceiverGoesOn(one);
    one.startReceiver(3);
    assertThat(one.receivers()).isEqualTo(1);
  }

  @Test
  void openOfTheSameGenerationForAnotherSnapshotIsRefusedAndTouchesNothing() throws Exception {
    one.logs.open(openLog(3, REDO, true));
    one.startReceiver(3);

    assertThatThrownBy(() -> one.logs.open(openLog(3, REDO.plus(8), true)))
        .isInstanceOf(EbbException.Conflict.class);

    assertThatTheReceiverGoesOn(one);
  }

  @Test
  void lateOpenOfAnOlderGenerationIsFencedAndTouchesNothing() throws Exception {
    one.logs.open(openLog(3, REDO, true));
    one.logs.open(openLog(4, REDO, true));
    one.startReceiver(4);
    long records = topics.endOffset(branch, TIMEOUT);

    assertThatThrownBy(() -> one.logs.open(openLog(3, REDO, true)))
        .isInstanceOf(EbbException.Fenced.class);
    assertThatThrownBy(() -> one.startReceiver(3)).isInstanceOf(EbbException.Fenced.class);

    assertThat(topics.endOffset(branch, TIMEOUT)).isEqualTo(records);
    assertThat(one.durable(4)).isEqualTo(END);
    assertThatTheReceiverGoesOn(one);
  }

  @Test
  void lateOpenOfAnOlderGenerationElsewhereIsFencedAndTheHolderGoesOn() throws Exception {
    var other = new Instance();
    one.logs.open(openLog(4, REDO, true));
    one.startReceiver(4);

    assertThatThrownBy(() -> other.logs.open(openLog(3, REDO, true)))
        .isInstanceOf(EbbException.Fenced.class);

    assertThat(one.durable(4)).isEqualTo(END);
    assertThatTheReceiverGoesOn(one);
  }

  @Test
  void lateOpenAfterTheGenerationStoppedDoesNotOpenItAgain() throws Exception {
    one.logs.open(openLog(3, REDO, true));
    one.startReceiver(3);
    one.logs.stopReceiver(new WalMessage.StopReceiver(branch, new Generation(3), 100));
    long records = topics.endOffset(branch, TIMEOUT);

    assertThatThrownBy(() -> one.logs.open(openLog(3, REDO, true)))
        .isInstanceOf(EbbException.Conflict.class);

    assertThat(topics.endOffset(branch, TIMEOUT)).isEqualTo(records);
  }

  @Test
  void newerGenerationEndsTheReceiverOfTheOlderOne() throws Exception {
    one.logs.open(openLog(3, REDO, true));
    one.startReceiver(3);

    one.logs.open(openLog(4, REDO, true));

    Await.until("the end of the receiver", () -> one.receivers() == 0);
    assertThatThrownBy(() -> one.durable(3)).isInstanceOf(EbbException.Fenced.class);
  }

  @Test
  void receiverOfAnUnreachablePrimaryThatWasReplacedEndsAsFenced() throws Exception {
    one.logs.open(openLog(3, REDO, true));
    one.startReceiver(3);
    assertThatTheReceiverGoesOn(one);

    sighting = Sighting.REPLACED;

    Await.until("the end of the receiver", () -> one.receivers() == 0);
    assertThatThrownBy(() -> one.durable(3)).isInstanceOf(EbbException.Fenced.class);
    assertThatThrownBy(() -> one.logs.open(openLog(3, REDO, false)))
        .isInstanceOf(EbbException.Fenced.class);
  }

  @Test
  void receiverThatEndsInAnErrorIsHeardOf() throws Exception {
    defect = new OutOfMemoryError("unable to create native thread: a test's");
    one.logs.open(openLog(3, REDO, true));
    one.startReceiver(3);

    Await.until("the end of the receiver", () -> one.receivers() == 0);
    assertThatThrownBy(() -> one.durable(3)).isInstanceOf(EbbException.Unavailable.class);
  }

  @Test
  void logWhoseReceiverEndedIsOpenedAgainFromANewerSnapshot() throws Exception {
    defect = new OutOfMemoryError("unable to create native thread: a test's");
    one.logs.open(openLog(3, REDO, true));
    one.startReceiver(3);
    Await.until("the end of the receiver", () -> one.receivers() == 0);
    defect = null;

    assertThat(one.logs.open(openLog(3, REDO.plus(8), true))).isEqualTo(END);

    one.startReceiver(3);
    assertThatTheReceiverGoesOn(one);
    assertThat(one.durable(3)).isEqualTo(END);
  }

  /** Whoever deletes a topic in Kafka tells nobody. */
  @Test
  void logWhoseTopicIsGoneIsSaidToBeLostAlsoWhereItWasThereBefore() throws Exception {
    one.logs.open(openLog(3, REDO, true));
    topics.delete(branch, TIMEOUT);

    assertThatThrownBy(() -> one.logs.open(openLog(4, REDO, false)))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("is lost");
    assertThatThrownBy(() -> new Instance().logs.open(openLog(5, REDO, false)))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("is lost");
  }

  /** Records that were on their way reach the new topic, and look like this generation's log. */
  @Test
  void logWhoseTopicWasMadeAgainUnderItsPrimaryIsNotGoneOnWith() throws Exception {
    one.logs.open(openLog(3, REDO, true));
    one.startReceiver(3);
    LogSession session = Objects.requireNonNull(one.logs.written(branch));
    topics.delete(branch, TIMEOUT);
    topics.create(branch, TIMEOUT);
    var term = new Term(new Generation(3), 1);
    for (LogRecord record :
        List.of(
            LogRecord.fence(term),
            LogRecord.start(term, END, 0),
            LogRecord.wal(term, END, new byte[8]))) {
      topics.append(branch, record, (offset, error) -> assertThat(error).isNull());
    }

    session.abandon("an offset that does not rise");

    Await.until("the end of the receiver", () -> one.receivers() == 0);
    assertThatThrownBy(() -> one.durable(3))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("was deleted and made again");
  }

  /** Nobody tells who appends that the topic is gone: a drop would leave him waiting. */
  @Test
  void forkWhoseLogIsDeletedMeanwhileEndsAtOnce() throws Exception {
    var wal = new WalPages(new Lsn(0x2000000));
    Lsn from = wal.add(100);
    wal.add(9_000);
    var term = new Term(new Generation(1), 1);
    topics.create(branch, TIMEOUT);
    topics.append(branch, LogRecord.fence(term), (offset, error) -> {});
    topics.append(branch, LogRecord.start(term, new Lsn(0x2000000), 0), (offset, error) -> {});
    topics.append(
        branch,
        LogRecord.wal(term, new Lsn(0x2000000), wal.bytes()),
        (offset, error) -> assertThat(error).isNull());
    var child = BranchId.random();
    topics.mute();
    var request = new WalMessage.ForkLog(branch, child, 7, from, from, WalPages.SEGMENT, -1, null);
    var forked = executor.submit(() -> one.logs.fork(request));
    Await.until("the child's topic", () -> isMade(child));

    one.logs.delete(new WalMessage.DeleteLog(child));

    assertThatThrownBy(() -> forked.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS))
        .hasCauseInstanceOf(EbbException.Conflict.class)
        .hasMessageContaining("was deleted while it was being made");
  }

  private boolean isMade(BranchId child) {
    try {
      return topics.endOffset(child, TIMEOUT) > 0;
    } catch (EbbException.NotFound e) {
      return false;
    }
  }
}
