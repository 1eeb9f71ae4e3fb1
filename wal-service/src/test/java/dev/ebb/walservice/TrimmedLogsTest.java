package dev.ebb.walservice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.InMemoryObjectStore;
import dev.ebb.walservice.archive.Archiver;
import dev.ebb.walservice.history.Histories;
import dev.ebb.walservice.history.KnownRecords;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.receive.Sighting;
import dev.ebb.walservice.record.WalPages;
import dev.ebb.walservice.session.WalMetrics;
import dev.ebb.walservice.topic.ArchivedTopics;
import dev.ebb.walservice.topic.KafkaConfig;
import dev.ebb.walservice.topic.MemoryTopics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.ConnectException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Logs whose topics have lost their beginnings: what a snapshot does not need is trimmed, and what
 * was archived of it has expired.
 */
final class TrimmedLogsTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final Lsn FIRST = new Lsn(0x2000000);

  @TempDir private Path directory;

  private final BranchId branch = BranchId.random();
  private final MemoryTopics topics = new MemoryTopics();
  private final InMemoryObjectStore store = new InMemoryObjectStore();
  private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
  private final List<Logs> instances = new ArrayList<>();
  private final WalPages wal = new WalPages(FIRST);

  @BeforeEach
  void start() {
    topics.create(branch, TIMEOUT);
  }

  @AfterEach
  void stop() throws InterruptedException {
    for (Logs logs : instances) {
      logs.close();
    }
    executor.shutdownNow();
  }

  /** A wal-service whose primaries are all away. */
  private Logs instance() {
    var config = WalServiceConfig.of(KafkaConfig.oneReplica("unused:1"), directory);
    var metrics = new WalMetrics(new SimpleMeterRegistry());
    var archived = new ArchivedTopics(topics, store);
    var known = new KnownRecords(store);
    var logs =
        new Logs(
            archived,
            new Histories(archived, known, directory, Clock.systemUTC()),
            known,
            config,
            (primary, start) -> {
              throw new SQLException("refused", "08001", new ConnectException("refused"));
            },
            (asked, generation) -> Sighting.ANNOUNCED,
            metrics,
            new Archiver(archived, store, config.archive(), metrics),
            executor);
    instances.add(logs);
    return logs;
  }

  private long append(LogRecord record) {
    topics.append(branch, record, (offset, error) -> assertThat(error).isNull());
    return topics.endOffset(branch, TIMEOUT) - 1;
  }

  private static Term term(long generation, long writer) {
    return new Term(new Generation(generation), writer);
  }

  private byte[] bytes(Lsn from, Lsn to) {
    return Arrays.copyOfRange(wal.bytes(), (int) from.minus(FIRST), (int) to.minus(FIRST));
  }

  private static byte[] filled(char with) {
    var bytes = new byte[10];
    Arrays.fill(bytes, (byte) with);
    return bytes;
  }

  /** The branch's newest snapshot, at one position, with its record. */
  private void snapshot(Lsn at, long hint) {
    var id = SnapshotId.random();
    String key = BranchKeys.manifest(branch, id);
    store.put(
        key,
        ManifestCodec.encode(
            new Manifest(
                id,
                branch,
                new Generation(3),
                180006,
                7,
                WalPages.SEGMENT,
                1,
                at,
                at,
                at,
                false,
                1,
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                "",
                List.of(),
                List.of(),
                hint,
                1,
                List.of(),
                new byte[0])));
    new BranchHeads(store)
        .create(
            new BranchHead(
                1,
                branch,
                new DatabaseId("db1"),
                7,
                new Generation(3),
                key,
                false,
                Lsn.INVALID,
                false));
  }

  private static WalMessage.OpenLog open(
      BranchId branch, long generation, Lsn checkpoint, Lsn end, boolean closed, long hint) {
    return new WalMessage.OpenLog(
        branch, new Generation(generation), checkpoint, end, true, closed, WalPages.SEGMENT, hint);
  }

  /**
   * The receiver takes what has come: a shutdown's checkpoint record may lie in two records of the
   * topic, of which the snapshot names the second. The generation behind it dies before it has
   * captured anything.
   */
  @Test
  void cleanStopWhoseCheckpointIsInTwoRecordsIsOpenedAgainByTheGenerationAfterNext()
      throws Exception {
    wal.add(200);
    Lsn checkpoint = wal.add(120);
    Lsn cut = checkpoint.plus(50);
    Lsn stopped = wal.end();
    append(LogRecord.fence(term(1, 1)));
    append(LogRecord.start(term(1, 1), FIRST, 0));
    append(LogRecord.wal(term(1, 1), FIRST, bytes(FIRST, cut)));
    long hint = append(LogRecord.wal(term(1, 1), cut, bytes(cut, stopped)));
    topics.trim(branch, hint, TIMEOUT);
    assertThat(instance().open(open(branch, 2, checkpoint, stopped, true, hint)))
        .isEqualTo(stopped);
    Lsn last = wal.add(90);
    Lsn acknowledged = wal.end();
    Term second = newestTerm();
    append(LogRecord.wal(second, stopped, bytes(stopped, acknowledged)));

    Logs third = instance();
    assertThat(third.open(open(branch, 3, checkpoint, stopped, false, hint)))
        .isEqualTo(acknowledged);

    byte[] read =
        third.read(new WalMessage.ReadWal(branch, stopped, acknowledged, Logs.MAX_READ_BYTES));
    assertThat(read).isEqualTo(bytes(stopped, acknowledged));
    assertThat(last).isEqualTo(stopped);
  }

  private Term newestTerm() {
    List<Term> terms = new ArrayList<>();
    long begin = topics.beginOffset(branch, TIMEOUT);
    long end = topics.endOffset(branch, TIMEOUT);
    topics.read(branch, begin, end, stored -> terms.add(stored.record().term()), TIMEOUT);
    return terms.getLast();
  }

  /**
   * Two terms of one generation. The topic was trimmed to a record of the second one, and its
   * broker was killed: it begins with a record again that a fence had ended.
   */
  private void trimmedTopicThatBeginsWithAFencedRecord() {
    append(LogRecord.fence(term(3, 1)));
    append(LogRecord.start(term(3, 1), FIRST, 0));
    append(LogRecord.wal(term(3, 1), FIRST, filled('a')));
    append(LogRecord.fence(term(3, 2)));
    append(LogRecord.start(term(3, 2), FIRST.plus(10), 3));
    long fenced = append(LogRecord.wal(term(3, 1), FIRST.plus(10), filled('z')));
    long hint = append(LogRecord.wal(term(3, 2), FIRST.plus(10), filled('b')));
    append(LogRecord.wal(term(3, 2), FIRST.plus(20), filled('c')));
    snapshot(FIRST.plus(10), hint);
    topics.trim(branch, fenced, TIMEOUT);
  }

  @Test
  void runningPrimaryIsTakenOverFromTheNewestSnapshotNotFromWhereTheTopicBegins() throws Exception {
    trimmedTopicThatBeginsWithAFencedRecord();

    Logs logs = instance();
    logs.startReceiver(receiver(FIRST));

    assertThat(durable(logs)).isEqualTo(FIRST.plus(30));
  }

  @Test
  void walIsReadFromTheNewestSnapshotNotFromWhereTheTopicBegins() {
    trimmedTopicThatBeginsWithAFencedRecord();

    byte[] read =
        instance().read(new WalMessage.ReadWal(branch, FIRST.plus(10), FIRST.plus(20), 1_000));

    assertThat(read).isEqualTo(filled('b'));
  }

  @Test
  void takeoverOfALogThatDoesNotReachItsOwnStartIsRefused() {
    append(LogRecord.fence(term(3, 1)));
    append(LogRecord.start(term(3, 1), FIRST, 0));

    Logs logs = instance();

    assertThatThrownBy(() -> logs.startReceiver(receiver(FIRST.plus(10))))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("it lost records");
  }

  /** It is not a matter of trying for longer. */
  @Test
  void logThatLacksTheRecordsOfItsSnapshotIsSaidToBeLost() {
    wal.add(200);
    Lsn end = wal.end();
    append(LogRecord.fence(term(1, 1)));
    append(LogRecord.start(term(1, 1), FIRST, 0));
    long hint = append(LogRecord.wal(term(1, 1), FIRST, bytes(FIRST, end)));
    append(LogRecord.fence(term(1, 2)));
    topics.trim(branch, hint + 1, TIMEOUT);

    assertThatThrownBy(() -> instance().open(open(branch, 2, FIRST, end, false, hint)))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("record " + hint);
  }

  private WalMessage.StartReceiver receiver(Lsn start) {
    return new WalMessage.StartReceiver(
        branch,
        new Generation(3),
        start,
        7,
        "127.0.0.1",
        1,
        "ebb_admin",
        new Secret("password"),
        new Secret("standby"));
  }

  private Lsn durable(Logs logs) throws InterruptedException {
    return logs.awaitDurable(
            new WalMessage.AwaitDurable(branch, new Generation(3), Lsn.INVALID, 100))
        .lsn();
  }
}
