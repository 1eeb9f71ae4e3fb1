package dev.ebb.walservice.history;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.shared.wal.WalVersion;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.record.WalPages;
import dev.ebb.walservice.topic.MemoryTopics;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tools read a log piece by piece and find what a reader of the whole finds. */
final class BranchWalTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(5);
  private static final Lsn START = new Lsn(5L * WalPages.SEGMENT);
  private static final WalOptions OPTIONS =
      WalOptions.ofSegments(WalPages.SEGMENT).with(WalVersion.V18).ofFrames();

  @TempDir private Path directory;
  private final MemoryTopics topics = new MemoryTopics();
  private final BranchId branch = BranchId.random();
  private final Random random = new Random(7);

  @BeforeEach
  void makeTopic() {
    topics.create(branch, TIMEOUT);
  }

  private long append(LogRecord record) {
    var offset = new AtomicLong();
    topics.append(branch, record, (at, error) -> offset.set(at));
    return offset.get();
  }

  private Term begin(int generation, Lsn start) {
    var term = new Term(new Generation(generation), generation);
    append(LogRecord.start(term, start, append(LogRecord.fence(term))));
    return term;
  }

  /** Appends WAL in pieces of any size. */
  private void append(Term term, byte[] wal, Lsn from, Lsn to) {
    Lsn at = from;
    while (at.isBefore(to)) {
      int piece = (int) Math.min(to.minus(at), 1 + random.nextInt(200_000));
      int offset = (int) at.minus(START);
      append(LogRecord.wal(term, at, Arrays.copyOfRange(wal, offset, offset + piece)));
      at = at.plus(piece);
    }
  }

  private BranchWal open(Lsn from) {
    return BranchWal.open(topics, branch, directory, from, List.of(), TIMEOUT);
  }

  private static List<Lsn> starts(BranchRecords records) throws WalException {
    List<Lsn> starts = new ArrayList<>();
    while (records.next()) {
      starts.add(records.record().start());
    }
    return starts;
  }

  private static List<Lsn> fill(WalPages wal, int bytes) {
    var random = new Random(bytes);
    List<Lsn> starts = new ArrayList<>();
    Lsn end = wal.end().plus(bytes);
    while (wal.end().isBefore(end)) {
      starts.add(wal.add(24 + random.nextInt(random.nextInt(30) == 0 ? 100_000 : 2_000)));
    }
    return starts;
  }

  @Test
  void longLogIsReadPieceByPieceAndTakesNoMoreRoomThanAPiece() throws Exception {
    var wal = new WalPages(START);
    final List<Lsn> all = fill(wal, 60 << 20);
    append(begin(1, START), wal.bytes(), START, wal.end());
    try (BranchWal log = open(Lsn.INVALID)) {
      assertThat(log.first()).isEqualTo(START);
      BranchRecords records = log.records(OPTIONS, Lsn.INVALID);
      assertThat(records.next()).isTrue();
      assertThat(log.end().minus(START)).as("read for the first record").isLessThan(5 << 20);
      List<Lsn> found = new ArrayList<>(List.of(records.record().start()));
      found.addAll(starts(records));
      assertThat(found).isEqualTo(all);
      assertThat(records.end()).isEqualTo(wal.end());
      assertThat(records.unfinished()).isEqualTo(Lsn.INVALID);
      assertThat(log.done()).isEqualTo(log.total());
      assertThat(log.read(START, new byte[1], 0, 1)).as("what was dropped").isZero();
    }
    Lsn middle = all.get(all.size() / 2);
    try (BranchWal log = open(middle.plus(1))) {
      assertThat(starts(log.records(OPTIONS, middle.plus(1))))
          .isEqualTo(all.subList(all.size() / 2 + 1, all.size()));
    }
  }

  @Test
  void whatANewGenerationOverridesIsNotShown() throws Exception {
    var wal = new WalPages(START);
    List<Lsn> expected = new ArrayList<>(fill(wal, 300_000));
    Term first = begin(1, START);
    append(first, wal.bytes(), START, wal.end());
    final Lsn end = wal.end();
    // A part of a record, of several pages, and the record of another in its place.
    var lost = new WalPages(START);
    fill(lost, 300_000);
    lost.add(50_000);
    append(first, lost.bytes(), end, lost.end().plus(-9_000));
    Term second = begin(2, end);
    append(first, lost.bytes(), end, lost.end().plus(-9_000)); // a zombie's
    expected.addAll(fill(wal, 10_000));
    append(second, wal.bytes(), end, wal.end());
    try (BranchWal log = open(Lsn.INVALID)) {
      assertThat(starts(log.records(OPTIONS, Lsn.INVALID))).isEqualTo(expected);
    }
    // Seen while it happened, too.
    topics.lose(branch, 0);
    first = begin(1, START);
    append(first, lost.bytes(), START, lost.end().plus(-9_000));
    try (BranchWal log = open(Lsn.INVALID)) {
      BranchRecords records = log.records(OPTIONS, Lsn.INVALID);
      List<Lsn> found = starts(records);
      assertThat(records.unfinished()).isEqualTo(end);
      append(begin(2, end), wal.bytes(), end, wal.end());
      log.refresh();
      found.addAll(starts(records));
      assertThat(found).isEqualTo(expected);
    }
  }

  @Test
  void recordWithoutItsPaddingIsNoRecordYet() throws Exception {
    var wal = new WalPages(START);
    wal.add(100);
    Lsn second = wal.add(41);
    Term term = begin(1, START);
    append(term, wal.bytes(), START, wal.end().plus(-1));
    try (BranchWal log = open(Lsn.INVALID)) {
      BranchRecords records = log.records(OPTIONS, Lsn.INVALID);
      assertThat(starts(records)).hasSize(1);
      assertThat(records.unfinished()).isEqualTo(second);
      append(term, wal.bytes(), wal.end().plus(-1), wal.end());
      log.refresh();
      assertThat(starts(records)).containsExactly(second);
    }
  }

  @Test
  void damageIsToldWithItsPlaceAndGapsAreErrors() throws Exception {
    var wal = new WalPages(START);
    List<Lsn> all = fill(wal, 6 << 20);
    byte[] bytes = wal.bytes();
    Lsn hit = all.get(all.size() - 5);
    bytes[(int) hit.minus(START) + 20] ^= 1;
    Term term = begin(1, START);
    append(term, bytes, START, wal.end());
    try (BranchWal log = open(Lsn.INVALID)) {
      assertThatThrownBy(() -> starts(log.records(OPTIONS, Lsn.INVALID)))
          .isInstanceOfSatisfying(WalException.class, e -> assertThat(e.at()).isEqualTo(hit));
    }
    append(LogRecord.wal(term, wal.end().plus(8), new byte[100]));
    try (BranchWal log = open(hit.plus(1))) {
      assertThatThrownBy(() -> starts(log.records(OPTIONS, hit.plus(1))))
          .isInstanceOf(EbbException.Corrupt.class)
          .hasMessageContaining("a gap in the log");
    }
  }

  @Test
  void zeroesWhereARecordShouldBeAreTold() throws Exception {
    var wal = new WalPages(START);
    wal.add(100);
    byte[] bytes = Arrays.copyOf(wal.bytes(), wal.bytes().length + 800);
    append(begin(1, START), bytes, START, START.plus(bytes.length));
    try (BranchWal log = open(Lsn.INVALID)) {
      BranchRecords records = log.records(OPTIONS, Lsn.INVALID);
      assertThat(starts(records)).hasSize(1);
      assertThat(records.atZeroes()).isTrue();
      assertThat(records.end()).isEqualTo(wal.end());
    }
  }

  @Test
  void emptyLogHasNothing() throws IOException {
    try (BranchWal log = open(Lsn.INVALID)) {
      assertThat(log.first()).isEqualTo(Lsn.INVALID);
    }
  }
}
