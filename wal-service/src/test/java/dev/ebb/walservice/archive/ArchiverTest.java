package dev.ebb.walservice.archive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.archive.ArchiveKey;
import dev.ebb.shared.bus.WalMessage.DurableLsn;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.InMemoryObjectStore;
import dev.ebb.walservice.log.History;
import dev.ebb.walservice.log.LogFold;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.session.WalMetrics;
import dev.ebb.walservice.topic.ArchivedTopics;
import dev.ebb.walservice.topic.MemoryTopics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class ArchiverTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final BranchId BRANCH = new BranchId("branch1");
  private static final Generation FIRST = new Generation(1);
  private static final int WAL_BYTES = 100;

  private final InMemoryObjectStore store = new InMemoryObjectStore();
  private final MemoryTopics memory = new MemoryTopics();
  private final ArchivedTopics topics = new ArchivedTopics(memory, store);
  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  private Archiver archiver = archiver(10 * WAL_BYTES, Duration.ofDays(1));
  private Term term = new Term(FIRST, 1);
  private final List<LogRecord> written = new ArrayList<>();
  private Lsn end = new Lsn(1_000);

  private Archiver archiver(long walBytes, Duration age) {
    return new Archiver(topics, store, new ArchiveLimits(walBytes, age), new WalMetrics(meters));
  }

  @BeforeEach
  void open() {
    topics.create(BRANCH, TIMEOUT);
    new BranchHeads(store)
        .create(
            new BranchHead(
                1,
                BRANCH,
                new DatabaseId("db1"),
                7,
                FIRST,
                "templates/none",
                false,
                Lsn.INVALID,
                false));
    openTerm();
  }

  private void openTerm() {
    append(LogRecord.fence(term));
    append(LogRecord.start(term, end, written.size() - 1L));
  }

  private void append(LogRecord record) {
    written.add(record);
    topics.append(BRANCH, record, (offset, error) -> assertThat(error).isNull());
  }

  /** So many records of WAL. */
  private void write(int records) {
    for (int i = 0; i < records; i++) {
      var bytes = new byte[WAL_BYTES];
      Arrays.fill(bytes, (byte) written.size());
      append(LogRecord.wal(term, end, bytes));
      end = end.plus(WAL_BYTES);
    }
  }

  private DurableLsn durable() {
    return new DurableLsn(end, written.size() - 1L);
  }

  /** A snapshot whose recovery begins at a record. */
  private void snapshot(String name, BranchId of, long hint) {
    var id = new SnapshotId(name);
    String key = BranchKeys.manifest(BRANCH, id);
    store.put(
        key,
        ManifestCodec.encode(
            new Manifest(
                id,
                of,
                FIRST,
                180006,
                7,
                1 << 20,
                1,
                end,
                end,
                end,
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
    new BranchHeads(store).commitSnapshot(BRANCH, FIRST, key, false, Lsn.INVALID);
  }

  private List<ArchiveKey> objects() {
    return store.list(ArchiveKey.prefix(BRANCH)).stream()
        .map(object -> ArchiveKey.parse(object.key()).orElseThrow())
        .toList();
  }

  /** All ranges read as what was appended, wherever the records are. */
  private void assertReadable() {
    for (int from = 0; from <= written.size(); from += 7) {
      for (int to = from; to <= written.size(); to += 5) {
        List<LogRecord.Stored> read = new ArrayList<>();
        topics.read(BRANCH, from, to, read::add, TIMEOUT);
        assertThat(read)
            .extracting(LogRecord.Stored::offset)
            .isEqualTo(LongStream.range(from, to).boxed().toList());
        for (LogRecord.Stored stored : read) {
          LogRecord expected = written.get((int) stored.offset());
          assertThat(stored.record().kind()).isEqualTo(expected.kind());
          assertThat(stored.record().term()).isEqualTo(expected.term());
          assertThat(stored.record().lsn()).isEqualTo(expected.lsn());
          assertThat(stored.record().bytes()).isEqualTo(expected.bytes());
        }
      }
    }
  }

  @Test
  void nothingIsArchivedBeforeThereIsEnoughOfIt() {
    write(9);
    archiver.look(BRANCH, durable());
    assertThat(objects()).isEmpty();

    write(1);
    archiver.look(BRANCH, durable());
    assertThat(objects()).hasSize(1);
    assertThat(memory.beginOffset(BRANCH, TIMEOUT)).as("without a snapshot").isZero();
    assertReadable();
  }

  @Test
  void whatIsOldIsArchivedHoweverLittleItIs() throws Exception {
    archiver = archiver(1 << 20, Duration.ofNanos(1));
    write(1);
    archiver.look(BRANCH, durable());
    archiver.look(BRANCH, durable());

    assertThat(objects()).hasSize(1);
    archiver.look(BRANCH, durable());
    assertThat(objects()).as("nothing new").hasSize(1);
  }

  @Test
  void topicIsTrimmedUpToWhatTheNewestSnapshotNeedsAndNoFurther() {
    write(30);
    snapshot("one", BRANCH, 20);
    archiver.look(BRANCH, durable());
    assertThat(memory.beginOffset(BRANCH, TIMEOUT)).isEqualTo(20);
    assertReadable();

    write(30);
    archiver.look(BRANCH, durable());
    assertThat(memory.beginOffset(BRANCH, TIMEOUT)).as("the same snapshot").isEqualTo(20);
    snapshot("two", BRANCH, 55);
    archiver.look(BRANCH, durable());
    assertThat(memory.beginOffset(BRANCH, TIMEOUT)).isEqualTo(55);
    assertReadable();
    assertThat(meters.counter("ebb.wal.trims").count()).isEqualTo(2);
  }

  @Test
  void nothingIsTrimmedThatIsNotArchived() {
    write(30);
    archiver.look(BRANCH, durable());
    long archived = objects().getLast().to();
    write(5);
    snapshot("ahead", BRANCH, archived + 3);
    archiver.look(BRANCH, durable());

    assertThat(memory.beginOffset(BRANCH, TIMEOUT)).isZero();
    write(10);
    archiver.look(BRANCH, durable());
    assertThat(memory.beginOffset(BRANCH, TIMEOUT)).isEqualTo(archived + 3);
    assertReadable();
  }

  @Test
  void snapshotOfAnotherBranchOrOfUnknownPlaceTrimsNothing() {
    write(30);
    snapshot("parents", new BranchId("parent1"), 20);
    archiver.look(BRANCH, durable());
    assertThat(memory.beginOffset(BRANCH, TIMEOUT)).isZero();

    snapshot("unknown", BRANCH, -1);
    archiver.look(BRANCH, durable());
    assertThat(memory.beginOffset(BRANCH, TIMEOUT)).isZero();
  }

  @Test
  void whatIsNotDurableIsNotArchived() {
    write(20);
    DurableLsn durable = durable();
    write(5);
    archiver.look(BRANCH, durable);

    assertThat(objects().getLast().to()).isEqualTo(durable.offset() + 1);
  }

  @Test
  void anotherInstanceGoesOnWhereOneStopped() {
    write(30);
    snapshot("one", BRANCH, 20);
    archiver.look(BRANCH, durable());
    for (int round = 0; round < 4; round++) {
      term = new Term(FIRST, 2 + round);
      openTerm();
      write(15);
      archiver = archiver(10 * WAL_BYTES, Duration.ofDays(1));
      archiver.look(BRANCH, durable());
      snapshot("round" + round, BRANCH, written.size() - 3L);
    }

    assertReadable();
    assertThat(objects()).extracting(ArchiveKey::from).doesNotHaveDuplicates();
  }

  @Test
  void historyIsTheSameOverAnyTrimAndFencesAndZombiesInIt() {
    var random = new Random(3);
    for (int round = 0; round < 8; round++) {
      write(10 + random.nextInt(20));
      Term zombie = term;
      term = new Term(FIRST, 10 + round);
      append(LogRecord.fence(term));
      append(LogRecord.wal(zombie, end, new byte[] {1, 2, 3}));
      // The last bytes were a part of a record: the new term overrides them.
      end = end.plus(-40);
      append(LogRecord.start(term, end, written.size() - 2L));
      write(10);
      snapshot("s" + round, BRANCH, written.size() - 1L);
      archiver.look(BRANCH, durable());
    }
    assertThat(memory.beginOffset(BRANCH, TIMEOUT)).isPositive();

    var fold = LogFold.fromBeginning(History.NOTHING);
    topics.read(
        BRANCH,
        0,
        written.size(),
        stored -> {
          fold.accept(stored);
          return true;
        },
        TIMEOUT);
    assertThat(fold.end()).isEqualTo(end);
    assertThat(fold.base()).isEqualTo(new Lsn(1_000));
    assertReadable();
  }

  @Test
  void archiveOfAnEarlierTopicIsNotTakenForThisOnes() {
    write(30);
    snapshot("one", BRANCH, 20);
    archiver.look(BRANCH, durable());
    topics.delete(BRANCH, TIMEOUT);
    topics.create(BRANCH, TIMEOUT);
    written.clear();
    term = new Term(new Generation(2), 5);
    openTerm();
    write(30);
    archiver = archiver(10 * WAL_BYTES, Duration.ofDays(1));
    archiver.look(BRANCH, durable());
    memory.trim(BRANCH, 25, TIMEOUT);

    assertReadable();
  }

  @Test
  void whatHasExpiredIsNotFoundInsteadOfLeftOut() {
    write(30);
    snapshot("one", BRANCH, 20);
    archiver.look(BRANCH, durable());
    objects().forEach(key -> store.delete(key.toString()));

    assertThatThrownBy(() -> topics.read(BRANCH, 3, 25, stored -> true, TIMEOUT))
        .isInstanceOf(EbbException.NotFound.class)
        .hasMessageContaining("record 3 of the log of branch1 is not there any more");
  }
}
