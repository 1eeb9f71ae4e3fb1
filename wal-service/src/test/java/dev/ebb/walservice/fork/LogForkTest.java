package dev.ebb.walservice.fork;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.bus.WalMessage.ForkLog;
import dev.ebb.shared.bus.WalMessage.LogForked;
import dev.ebb.shared.bus.WalMessage.LogForked.Outcome;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.history.BranchHistory;
import dev.ebb.walservice.history.LogEnd;
import dev.ebb.walservice.log.LogFold;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.record.WalPages;
import dev.ebb.walservice.topic.MemoryTopics;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LogForkTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final Lsn FIRST = new Lsn(0x2000000);
  private static final long TIME = Instant.parse("2026-11-22T10:00:00Z").toEpochMilli() * 1_000;
  private static final int COMMIT = 0x00;
  private static final int ABORT = 0x20;
  private static final int COMMIT_PREPARED = 0x30;
  private static final int HAS_INFO = 0x80;
  private static final long IDENTIFIER = 0x1122334455667788L;

  @TempDir private Path directory;

  private final MemoryTopics topics = new MemoryTopics();
  private final BranchId parent = BranchId.random();
  private final BranchId child = BranchId.random();
  private final WalPages wal = new WalPages(FIRST);

  /** Ends of the transactions' records. */
  private final List<Lsn> ends = new ArrayList<>();

  private Lsn redo = Lsn.INVALID;
  private Lsn floor = Lsn.INVALID;
  private Lsn end = Lsn.INVALID;

  /**
   * A page of records, the snapshot's end, then transactions a second apart with others between.
   */
  @BeforeEach
  void write() {
    redo = wal.add(100);
    wal.add(9_000);
    floor = wal.end();
    for (int i = 0; i < 10; i++) {
      wal.add(700);
      int info = i == 3 ? ABORT : i == 5 ? COMMIT_PREPARED | HAS_INFO : COMMIT;
      wal.addTransactionEnd(info, TIME + i * 1_000_000L, i == 4 ? 400 : 8);
      ends.add(wal.end());
    }
    wal.add(3_000);
    end = wal.end();
    byte[] half = Arrays.copyOf(wal.bytes(), wal.bytes().length);
    topics.create(parent, TIMEOUT);
    var zombie = new Term(new Generation(1), 1);
    var term = new Term(new Generation(2), 2);
    append(parent, LogRecord.fence(zombie));
    append(parent, LogRecord.start(zombie, FIRST, 0));
    append(parent, LogRecord.wal(zombie, FIRST, Arrays.copyOf(half, 12_000)));
    append(parent, LogRecord.fence(term));
    append(parent, LogRecord.wal(zombie, FIRST.plus(12_000), new byte[500]));
    append(parent, LogRecord.start(term, floor, 3));
    int from = (int) floor.minus(FIRST);
    append(parent, LogRecord.wal(term, floor, Arrays.copyOfRange(half, from, half.length)));
    // The beginning of a record that never got whole.
    append(parent, LogRecord.wal(term, end, new byte[] {99, 0, 0, 0, 1, 2, 3, 4}));
  }

  private void append(BranchId branch, LogRecord record) {
    topics.append(branch, record, (offset, error) -> assertThat(error).isNull());
  }

  private LogForked fork(@Nullable BranchPoint at) throws InterruptedException {
    return fork(at, Lsn.INVALID);
  }

  private LogForked fork(@Nullable BranchPoint at, Lsn durable) throws InterruptedException {
    return new LogFork(
            topics,
            asked -> new BranchHistory(directory, asked.from(), asked.walOffsetHint()),
            7,
            TIMEOUT)
        .fork(
            new ForkLog(parent, child, IDENTIFIER, redo, floor, WalPages.SEGMENT, -1, at),
            () -> durable);
  }

  private static BranchPoint time(double seconds) {
    return new BranchPoint(BranchPoint.Kind.TIME, Lsn.INVALID, TIME + (long) (seconds * 1_000_000));
  }

  /** Where the child's first primary would start, as it finds out. */
  private Lsn endOfChild() {
    try (var history = new BranchHistory(directory, redo, -1)) {
      return history.use(
          topics,
          child,
          TIMEOUT,
          source ->
              LogEnd.find(history.fold(), redo, Lsn.INVALID, floor, WalPages.SEGMENT, true).end());
    }
  }

  @Test
  void headIsTheEndOfTheLastWholeRecordOfTheOneTrueHistory() throws Exception {
    assertThat(fork(null)).isEqualTo(new LogForked(Outcome.FORKED, end, end, end.minus(redo)));
    assertThat(endOfChild()).isEqualTo(end);
  }

  @Test
  void nothingIsCopiedThatIsNotDurable() throws Exception {
    LogForked forked = fork(null, ends.get(6).plus(3));

    assertThat(forked.cut()).isEqualTo(ends.get(6));
    assertThat(endOfChild()).isEqualTo(ends.get(6));
  }

  /** As behind a restart of a process that has the broker in it: nobody holds the log. */
  @Test
  void nothingIsCopiedThatMayNotBeOnDisk() throws Exception {
    topics.durableTo(parent, topics.endOffset(parent, TIMEOUT) - 2);

    LogForked forked = fork(null);

    assertThat(forked.cut()).as("the end of what the zombie wrote").isEqualTo(floor);
  }

  @Test
  void copyIsTheParentsWalWithTheChildsIdentifier() throws Exception {
    redo = FIRST;
    fork(null);

    try (var history = new BranchHistory(directory, FIRST, -1)) {
      var copied = new byte[(int) end.minus(FIRST)];
      history.use(
          topics,
          child,
          TIMEOUT,
          source -> {
            Objects.requireNonNull(source).read(FIRST, copied, 0, copied.length);
            return true;
          });
      byte[] expected = Arrays.copyOf(wal.bytes(), copied.length);
      ByteBuffer.wrap(expected).order(ByteOrder.LITTLE_ENDIAN).putLong(24, IDENTIFIER);
      assertThat(copied).isEqualTo(expected);
    }
  }

  @Test
  void lsnCutsAtTheLastTransactionEndAtOrBeforeIt() throws Exception {
    assertThat(fork(BranchPoint.at(ends.get(4))).cut()).isEqualTo(ends.get(4));
    assertThat(fork(BranchPoint.at(ends.get(5).plus(-1))).cut()).isEqualTo(ends.get(4));
    assertThat(fork(BranchPoint.at(ends.get(4).plus(100))).cut()).isEqualTo(ends.get(4));
    assertThat(fork(BranchPoint.at(floor)).cut()).isEqualTo(floor);
    assertThat(fork(BranchPoint.at(end)).cut()).isEqualTo(ends.getLast());
    assertThat(endOfChild()).isEqualTo(ends.getLast());
  }

  @Test
  void lsnOutsideTheLogIsRefused() throws Exception {
    assertThat(fork(BranchPoint.at(floor.plus(-1))).outcome()).isEqualTo(Outcome.BEFORE_FLOOR);
    LogForked behind = fork(BranchPoint.at(end.plus(1_000)));
    assertThat(behind.outcome()).isEqualTo(Outcome.BEHIND_END);
    assertThat(behind.cut()).isEqualTo(Lsn.INVALID);
  }

  @Test
  void timeStopsBeforeTheFirstLaterCommitOrAbort() throws Exception {
    assertThat(fork(time(3)).cut()).isEqualTo(startOfSecond(4));
    assertThat(fork(time(2.5)).cut()).as("before an abort").isEqualTo(startOfSecond(3));
    assertThat(fork(time(4.999999)).cut()).as("before COMMIT PREPARED").isEqualTo(startOfSecond(5));
    assertThat(fork(time(3.5)).cut()).as("before a long one").isEqualTo(startOfSecond(4));
    assertThat(fork(time(100)).cut()).isEqualTo(end);
    assertThat(endOfChild()).isEqualTo(end);
  }

  /** The end of the record before the i-th transaction's end. */
  private Lsn startOfSecond(int i) {
    var probe = new WalPages(FIRST);
    probe.add(100);
    probe.add(9_000);
    for (int k = 0; k < i; k++) {
      probe.add(700);
      probe.addTransactionEnd(COMMIT, 0, k == 4 ? 400 : 8);
    }
    probe.add(700);
    return probe.end();
  }

  @Test
  void timeBeforeTheSnapshotsLastTransactionNeedsAnEarlierSnapshot() throws Exception {
    floor = ends.get(4);

    assertThat(fork(time(3.5)).outcome()).isEqualTo(Outcome.BEFORE_FLOOR);
    assertThat(fork(time(4.5)).cut()).isEqualTo(startOfSecond(5));
  }

  @Test
  void repeatedOrHalfMadeCopyIsOverriddenByTheNext() throws Exception {
    topics.create(child, TIMEOUT);
    var half = new Term(Generation.NONE, 99);
    append(child, LogRecord.fence(half));
    append(child, LogRecord.start(half, redo, 0));
    append(child, LogRecord.wal(half, redo, new byte[50]));

    fork(BranchPoint.at(ends.get(2)));
    append(child, LogRecord.wal(half, redo.plus(50), new byte[50]));
    fork(BranchPoint.at(ends.get(1)));

    assertThat(endOfChild()).isEqualTo(ends.get(1));
  }

  @Test
  void copyThatComesLateDoesNotChangeTheLogOfAStartedChild() throws Exception {
    fork(BranchPoint.at(ends.get(2)));
    var first = new Term(new Generation(1), 5);
    long fence = topics.endOffset(child, TIMEOUT);
    append(child, LogRecord.fence(first));
    append(child, LogRecord.start(first, ends.get(2), fence));

    fork(null);

    assertThat(endOfChild()).isEqualTo(ends.get(2));
  }

  @Test
  void logThatBeginsBehindTheSnapshotIsNotUsed() throws Exception {
    redo = FIRST.plus(-8_000);

    assertThat(fork(null).outcome()).isEqualTo(Outcome.NOT_IN_LOG);
  }

  @Test
  void nothingIsMadeWhereNothingLiesBehindACleanSnapshot() throws Exception {
    var suspended = BranchId.random();
    topics.create(suspended, TIMEOUT);
    var request =
        new ForkLog(suspended, child, IDENTIFIER, floor, floor, WalPages.SEGMENT, -1, null);

    LogForked forked =
        new LogFork(topics, asked -> new BranchHistory(directory, asked.from(), -1), 7, TIMEOUT)
            .fork(request, () -> Lsn.INVALID);

    assertThat(forked).isEqualTo(new LogForked(Outcome.FORKED, floor, floor, 0));
    assertThatThrownBy(() -> topics.endOffset(child, TIMEOUT))
        .isInstanceOf(EbbException.NotFound.class);
  }

  @Test
  void childsLogIsWhatAFoldMakesOfIt() throws Exception {
    fork(null);

    var fold = LogFold.fromBeginning(dev.ebb.walservice.log.History.NOTHING);
    topics.read(
        child,
        0,
        topics.endOffset(child, TIMEOUT),
        stored -> {
          fold.accept(stored);
          return true;
        },
        TIMEOUT);
    assertThat(fold.base()).isEqualTo(redo);
    assertThat(fold.end()).isEqualTo(end);
  }
}
