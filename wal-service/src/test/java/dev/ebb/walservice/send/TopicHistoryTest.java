package dev.ebb.walservice.send;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.record.WalPages;
import dev.ebb.walservice.topic.MemoryTopics;
import java.io.ByteArrayOutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TopicHistoryTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final Lsn FIRST = new Lsn(0x2000000);
  private static final Term OLD = new Term(new Generation(1), 1);
  private static final Term NEW = new Term(new Generation(2), 2);

  @TempDir private Path directory;

  private final MemoryTopics topics = new MemoryTopics();
  private final BranchId branch = BranchId.random();
  private final Marks marks = new Marks();
  private long durableEnd = Long.MAX_VALUE;

  private final DurableEnds ends =
      new DurableEnds() {
        @Override
        public long durableEnd(BranchId asked, boolean fresh, Duration timeout) {
          return Math.min(durableEnd, topics.durableEndOffset(asked, timeout));
        }

        @Override
        public void awaitMoreThan(BranchId asked, long end, Duration timeout) {
          // Nothing comes by itself.
          java.util.concurrent.locks.LockSupport.parkNanos(timeout.toNanos());
        }
      };

  private TopicHistory history;

  private TopicHistory open() {
    return open(ServedBranch.Hints.none());
  }

  private TopicHistory open(ServedBranch.Hints hints) {
    return new TopicHistory(
        topics,
        ends,
        new ServedBranch(
            branch, "shop@main", 42, "18.6", 18, WalPages.SEGMENT, FIRST, List.of(), hints),
        marks,
        directory);
  }

  @BeforeEach
  void create() {
    topics.create(branch, TIMEOUT);
    history = open();
  }

  @AfterEach
  void close() {
    history.close();
  }

  private long append(LogRecord record) {
    var at = new long[] {-1};
    topics.append(branch, record, (offset, error) -> at[0] = offset);
    return at[0];
  }

  private void begin(Term term, Lsn start) {
    append(LogRecord.start(term, start, append(LogRecord.fence(term))));
  }

  /** Appends [{@code from}, {@code to}) of {@code wal} in pieces that heed no record. */
  private void append(Term term, WalPages wal, Lsn from, Lsn to, int piece) {
    for (Lsn at = from; at.isBefore(to); at = at.plus(piece)) {
      int length = (int) Math.min(piece, to.minus(at));
      append(LogRecord.wal(term, at, bytes(wal, at, at.plus(length))));
    }
  }

  private static byte[] bytes(WalPages wal, Lsn from, Lsn to) {
    return Arrays.copyOfRange(wal.bytes(), (int) from.minus(FIRST), (int) to.minus(FIRST));
  }

  private byte[] take() throws InterruptedException {
    var all = new ByteArrayOutputStream();
    for (byte[] got = next(); got.length > 0; got = next()) {
      all.writeBytes(got);
    }
    return all.toByteArray();
  }

  private byte[] next() throws InterruptedException {
    return history.next(10_000, Duration.ofMillis(1));
  }

  @Test
  void sendsWholeRecordsOnlyAndTheRestOnceItIsThere() throws Exception {
    var wal = new WalPages(FIRST);
    wal.add(100);
    wal.add(30_000);
    Lsn whole = wal.end();
    wal.add(20_000);
    Lsn end = wal.end();
    begin(OLD, FIRST);
    append(OLD, wal, FIRST, end.plus(-1), 777);

    assertThat(history.end()).isEqualTo(whole);
    assertThat(history.seek(FIRST)).isEqualTo(FIRST);
    assertThat(take()).isEqualTo(bytes(wal, FIRST, whole));
    append(LogRecord.wal(OLD, end.plus(-1), bytes(wal, end.plus(-1), end)));
    assertThat(take()).isEqualTo(bytes(wal, whole, end));
    assertThat(next()).isEmpty();
  }

  /** The tail of a record that never got whole is overridden: nobody may have been sent it. */
  @Test
  void nextGenerationOverridesAPartialRecordThatWasNeverSent() throws Exception {
    var before = new WalPages(FIRST);
    before.add(5_000);
    Lsn whole = before.end();
    var old = new WalPages(FIRST);
    old.add(5_000);
    old.add(40_000);
    var now = new WalPages(FIRST);
    now.add(5_000);
    now.add(333);
    now.add(12_000);
    begin(OLD, FIRST);
    append(OLD, old, FIRST, FIRST.plus(30_000), 1_000);
    history.seek(FIRST);
    assertThat(take()).isEqualTo(bytes(now, FIRST, whole));

    begin(NEW, whole);
    append(OLD, old, FIRST.plus(30_000), FIRST.plus(31_000), 500);
    append(NEW, now, whole, now.end(), 1_000);

    assertThat(take()).isEqualTo(bytes(now, whole, now.end()));
    history.close();
    history = open();
    history.seek(FIRST);
    assertThat(take()).as("what a later reader gets").isEqualTo(now.bytes());
  }

  /** It never happens, and if it did, the standby would not be what the log says. */
  @Test
  void logThatOverridesWhatWasSentIsCorrupt() throws Exception {
    var wal = new WalPages(FIRST);
    wal.add(5_000);
    Lsn first = wal.end();
    wal.add(5_000);
    begin(OLD, FIRST);
    append(OLD, wal, FIRST, wal.end(), 1_000);
    history.seek(FIRST);
    assertThat(take()).hasSize(wal.bytes().length);

    begin(NEW, first);

    assertThatThrownBy(this::next).isInstanceOf(EbbException.Corrupt.class);
  }

  @Test
  void nothingIsSentThatIsNotDurable() throws Exception {
    var wal = new WalPages(FIRST);
    wal.add(5_000);
    Lsn durable = wal.end();
    wal.add(5_000);
    begin(OLD, FIRST);
    append(OLD, wal, FIRST, durable, 100_000);
    durableEnd = topics.endOffset(branch, TIMEOUT);
    append(OLD, wal, durable, wal.end(), 100_000);

    history.seek(FIRST);
    assertThat(take()).isEqualTo(bytes(wal, FIRST, durable));
    assertThat(history.end()).isEqualTo(durable);
    durableEnd = Long.MAX_VALUE;
    history.seek(durable);
    assertThat(take()).isEqualTo(bytes(wal, durable, wal.end()));
  }

  @Test
  void anotherInstanceTakesOverInTheMiddleOfARecord() throws Exception {
    var wal = new WalPages(FIRST);
    wal.add(5_000);
    wal.add(30_000);
    begin(OLD, FIRST);
    append(OLD, wal, FIRST, FIRST.plus(17_001), 1_000);
    history.seek(FIRST);
    var got = new ByteArrayOutputStream();
    got.writeBytes(take());
    begin(new Term(new Generation(1), 9), FIRST.plus(17_001));
    append(new Term(new Generation(1), 9), wal, FIRST.plus(17_001), wal.end(), 1_000);
    got.writeBytes(take());

    assertThat(got.toByteArray()).isEqualTo(wal.bytes());
  }

  @Test
  void positionsOutsideOfTheLogAreRefused() throws Exception {
    var all = new WalPages(FIRST);
    all.add(100_000);
    Lsn begin = all.end();
    all.add(5_000);
    begin(OLD, begin);
    append(OLD, all, begin, all.end(), 1_000);

    assertThat(history.seek(FIRST)).as("the log's very beginning").isEqualTo(begin);
    assertThat(take()).isEqualTo(bytes(all, begin, all.end()));
    assertThatThrownBy(() -> history.seek(FIRST.plus(-1)))
        .isInstanceOf(WalHistory.RemovedException.class);
    assertThatThrownBy(() -> history.seek(all.end().plus(1)))
        .isInstanceOf(WalHistory.AheadException.class);
    assertThat(history.seek(all.end())).isEqualTo(all.end());
    assertThat(next()).isEmpty();
  }

  @Test
  void emptyLogHasNoPositionAndAMissingOneIsNotFound() throws Exception {
    assertThat(history.end()).isEqualTo(Lsn.INVALID);
    assertThatThrownBy(() -> history.seek(FIRST)).isInstanceOf(WalHistory.RemovedException.class);
    topics.delete(branch, TIMEOUT);
    assertThatThrownBy(() -> history.end()).isInstanceOf(EbbException.NotFound.class);
  }

  /** Larger than what is read ahead, what the spool wastes, and the distance of marks. */
  @Test
  void longLogIsReadFromMarksAndBoundedPieces() throws Exception {
    var wal = new WalPages(FIRST);
    for (int i = 0; i < 30; i++) {
      wal.add(900_000);
      wal.add(50);
    }
    byte[] all = wal.bytes();
    begin(OLD, FIRST);
    for (int at = 0; at < all.length; at += 300_000) {
      append(
          LogRecord.wal(
              OLD,
              FIRST.plus(at),
              Arrays.copyOfRange(all, at, Math.min(at + 300_000, all.length))));
    }
    history.seek(FIRST);
    assertThat(take()).isEqualTo(all);
    assertThat(marks.before(wal.end())).isNotNull();

    history.close();
    history = open();
    Lsn from = FIRST.plus(20_000_000);
    Marks.Mark mark = Objects.requireNonNull(marks.before(from));
    assertThat(mark.from().minus(FIRST)).isGreaterThan(8_000_000);
    assertThat(history.end()).isEqualTo(wal.end());
    history.seek(from);
    assertThat(take()).isEqualTo(Arrays.copyOfRange(all, 20_000_000, all.length));
    history.seek(FIRST.plus(5));
    assertThat(take()).isEqualTo(Arrays.copyOfRange(all, 5, all.length));
  }

  @Test
  void hintSavesReadingFromTheBeginning() throws Exception {
    var wal = new WalPages(FIRST);
    wal.add(5_000);
    wal.add(5_000);
    Lsn redo = wal.end();
    wal.add(5_000);
    begin(OLD, FIRST);
    append(OLD, wal, FIRST, FIRST.plus(9_000), 1_000);
    long hint = append(LogRecord.wal(OLD, FIRST.plus(9_000), bytes(wal, FIRST.plus(9_000), redo)));
    append(OLD, wal, redo, wal.end(), 1_000);
    history.close();
    history = open(ServedBranch.Hints.of(new ServedBranch.Hint(hint, redo)));

    assertThat(history.end()).isEqualTo(wal.end());
    assertThat(history.seek(redo)).isEqualTo(redo);
    assertThat(take()).isEqualTo(bytes(wal, redo, wal.end()));
    assertThat(history.seek(FIRST)).isEqualTo(FIRST);
    assertThat(take()).isEqualTo(wal.bytes());
  }

  /** A snapshot may name a record that is not there any more, or from which not all is read. */
  @Test
  void hintOfNoUseCostsReadingFromTheBeginning() throws Exception {
    var wal = new WalPages(FIRST);
    wal.add(5_000);
    Lsn redo = wal.end();
    wal.add(5_000);
    begin(OLD, FIRST);
    append(OLD, wal, FIRST, redo, 1_000);
    long late = append(LogRecord.wal(OLD, redo, bytes(wal, redo, wal.end())));
    history.close();
    history = open(ServedBranch.Hints.of(new ServedBranch.Hint(late, FIRST.plus(4_000))));

    assertThat(history.seek(FIRST.plus(4_500))).isEqualTo(FIRST.plus(4_500));
    assertThat(take()).isEqualTo(bytes(wal, FIRST.plus(4_500), wal.end()));
  }
}
