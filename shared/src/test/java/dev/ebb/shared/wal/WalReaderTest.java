package dev.ebb.shared.wal;

import static dev.ebb.shared.wal.WalFormat.PAGE_BYTES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.GeneratedWal.Body;
import dev.ebb.shared.wal.GeneratedWal.Written;
import dev.ebb.shared.wal.WalReader.Step;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

final class WalReaderTest {
  private static final int SEGMENT = 1 << 20;
  private static final Lsn START = new Lsn(5L * SEGMENT);

  private static GeneratedWal generated(WalVersion version, Random random, int bytes) {
    var wal = new GeneratedWal(version, SEGMENT, START);
    while (wal.end().minus(START) < bytes) {
      int main = random.nextInt(random.nextInt(20) == 0 ? 100_000 : 700);
      wal.add(random.nextInt(100) == 0 ? 0 : 10, random.nextInt(4) << 4, main);
    }
    return wal;
  }

  /** Reads all that is there, the input cut into pieces of at most so many bytes. */
  private static List<Written> read(WalReader reader, GeneratedWal wal, Random random, int piece)
      throws WalException {
    byte[] bytes = wal.bytes();
    List<Written> found = new ArrayList<>();
    int at = (int) reader.wanted().minus(wal.start);
    while (true) {
      switch (reader.next()) {
        case RECORD -> {
          WalRecord record = reader.record();
          byte[] raw = new byte[record.totalBytes()];
          record.raw().get(raw);
          found.add(new Written(record.start(), record.end(), record.previous(), raw));
          assertThat(record.writtenBy()).isEqualTo(wal.version);
        }
        case ZEROES -> {
          return found;
        }
        case MORE -> {
          if (at == bytes.length) {
            return found;
          }
          assertThat(reader.wanted()).isEqualTo(wal.start.plus(at));
          int part = Math.min(random.nextInt(1, piece + 1), bytes.length - at);
          reader.feed(bytes, at, part);
          at += part;
        }
      }
    }
  }

  private static void assertSame(List<Written> found, List<Written> written) {
    assertThat(found).hasSameSizeAs(written);
    for (int i = 0; i < found.size(); i++) {
      Written one = found.get(i);
      Written other = written.get(i);
      assertThat(one.start()).isEqualTo(other.start());
      assertThat(one.end()).isEqualTo(other.end());
      assertThat(one.previous()).isEqualTo(other.previous());
      assertThat(Arrays.equals(one.bytes(), other.bytes())).isTrue();
    }
  }

  private static WalException failure(GeneratedWal wal, byte[] bytes) {
    var reader = WalReader.seeking(wal.options(), wal.start, wal.start);
    reader.feed(bytes, 0, bytes.length);
    while (true) {
      try {
        assertThat(reader.next()).isEqualTo(Step.RECORD);
      } catch (WalException e) {
        assertThatThrownBy(reader::next).isSameAs(e);
        return e;
      }
    }
  }

  @ParameterizedTest
  @EnumSource(WalVersion.class)
  void recordsComeWholeOverPagesSegmentsAndPieces(WalVersion version) throws WalException {
    var random = new Random(version.major());
    GeneratedWal wal = generated(version, random, 3 * SEGMENT);
    for (int piece : new int[] {7, 100, 9_000, 70_000, 10 * SEGMENT}) {
      WalReader reader = WalReader.seeking(wal.options(), START, START);
      assertSame(read(reader, wal, random, piece), wal.records);
      assertThat(reader.end()).isEqualTo(wal.end());
      assertThat(reader.timeline()).isEqualTo(1);
      assertThat(reader.systemIdentifier()).isEqualTo(GeneratedWal.SYSTEM_IDENTIFIER);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {20, 21, 24, 26, 30})
  void boundaryOfSegmentsOfAnySizeIsCrossed(int bits) throws WalException {
    int segment = 1 << bits;
    Lsn start = new Lsn(3L * segment - 2L * PAGE_BYTES);
    var wal = new GeneratedWal(WalVersion.V16, segment, start);
    for (int i = 0; i < 20; i++) {
      wal.add(10, 0, 5_000);
    }
    var random = new Random(bits);
    WalReader reader = WalReader.seeking(wal.options(), start, start);
    assertSame(read(reader, wal, random, 3_000), wal.records);
    assertThat(reader.systemIdentifier()).isEqualTo(GeneratedWal.SYSTEM_IDENTIFIER);
  }

  @Test
  void firstRecordBehindAnyPositionIsFound() throws WalException {
    var random = new Random(11);
    GeneratedWal wal = generated(WalVersion.V17, random, SEGMENT);
    byte[] bytes = wal.bytes();
    for (int i = 0; i < 2_000; i++) {
      Lsn from = START.plus(random.nextInt(bytes.length - 200_000));
      Lsn page = new Lsn(from.value() & -PAGE_BYTES);
      WalReader reader = WalReader.seeking(wal.options(), page, from);
      int at = (int) page.minus(START);
      reader.feed(bytes, at, bytes.length - at);
      assertThat(reader.next()).isEqualTo(Step.RECORD);
      Lsn expected =
          wal.records.stream().map(Written::start).filter(s -> !s.isBefore(from)).findFirst().get();
      assertThat(reader.record().start()).isEqualTo(expected);
    }
  }

  @Test
  void inputThatBeginsInsideOfAPageIsReadFromTheNextOneOn() throws WalException {
    GeneratedWal wal = generated(WalVersion.V14, new Random(3), SEGMENT / 2);
    Lsn from = START.plus(PAGE_BYTES + 1001);
    WalReader reader = WalReader.seeking(wal.options(), from, from);
    List<Written> found = read(reader, wal, new Random(1), 5_000);
    Lsn nextPage = START.plus(2L * PAGE_BYTES);
    assertSame(found, wal.records.stream().filter(w -> w.start().isAfter(nextPage)).toList());
  }

  @Test
  void readerBeginsAtAnyRecordOfAKnownVersion() throws WalException {
    GeneratedWal wal = generated(WalVersion.V18, new Random(5), SEGMENT / 2);
    byte[] bytes = wal.bytes();
    for (int i = 1; i < wal.records.size(); i++) {
      // Where the one before it ended: a page's start, too.
      Lsn start = wal.records.get(i - 1).end();
      WalReader reader =
          WalReader.atRecord(wal.options().with(WalVersion.V18), start)
              .after(wal.records.get(i - 1).start());
      int at = (int) start.minus(START);
      reader.feed(bytes, at, bytes.length - at);
      assertThat(reader.next()).isEqualTo(Step.RECORD);
      assertThat(reader.record().start()).isEqualTo(wal.records.get(i).start());
    }
  }

  @Test
  void startWhereNoRecordCanBeIsRefused() {
    WalOptions options = WalOptions.ofSegments(SEGMENT).with(WalVersion.V18);
    for (int offset : new int[] {4, 8, 32, PAGE_BYTES + 16, PAGE_BYTES + 28}) {
      assertThatThrownBy(() -> WalReader.atRecord(options, START.plus(offset)))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(
            () -> WalReader.atRecord(WalOptions.ofSegments(SEGMENT), START.plus(PAGE_BYTES + 24)))
        .hasMessageContaining("version");
    assertThatThrownBy(() -> WalReader.seeking(options, START.plus(1), START))
        .isInstanceOf(IllegalArgumentException.class);
    for (int segment : new int[] {0, 1 << 19, 3 << 20, -(1 << 31)}) {
      assertThatThrownBy(() -> WalOptions.ofSegments(segment)).hasMessageContaining("segment");
    }
  }

  @Test
  void switchReachesToTheEndOfItsSegment() throws WalException {
    var wal = new GeneratedWal(WalVersion.V15, SEGMENT, START);
    wal.add(10, 0, 100);
    Lsn at = wal.add(new Body(0, 0x40));
    assertThat(wal.end()).isEqualTo(START.plus(SEGMENT));
    wal.add(10, 0, 30_000);
    // One that ends where the segment does anyway.
    while (START.plus(2L * SEGMENT).minus(wal.end()) > 24 + PAGE_BYTES) {
      wal.add(10, 0, 1000);
    }
    int room = (int) START.plus(2L * SEGMENT).minus(wal.end()) - PAGE_BYTES;
    wal.add(10, 0, (room > 60 ? room - 32 : room - 32 + PAGE_BYTES - 24));
    while (START.plus(2L * SEGMENT).minus(wal.end()) > 48) {
      int left = (int) START.plus(2L * SEGMENT).minus(wal.end());
      wal.add(10, 0, left > 400 ? 200 : left - 24 - 24 - 2);
    }
    wal.add(new Body(0, 0x40));
    wal.add(10, 0, 10);
    for (int piece : new int[] {13, 50_000}) {
      WalReader reader = WalReader.seeking(wal.options(), START, START);
      assertSame(read(reader, wal, new Random(1), piece), wal.records);
    }
    assertThat(wal.records.get(1).start()).isEqualTo(at);
    // What is in the padding does not matter.
    byte[] bytes = wal.bytes();
    Arrays.fill(bytes, (int) at.minus(START) + 24, SEGMENT, (byte) 0x5A);
    WalReader reader = WalReader.seeking(wal.options(), START, START);
    reader.feed(bytes, 0, bytes.length);
    for (Written written : wal.records) {
      assertThat(reader.next()).isEqualTo(Step.RECORD);
      assertThat(reader.record().start()).isEqualTo(written.start());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {11, 4_000, 1 << 20})
  void recordThatWasGivenUpIsReadOver(int piece) throws WalException {
    var wal = new GeneratedWal(WalVersion.V14, SEGMENT, START);
    wal.add(10, 0, 100);
    Lsn givenUp = wal.giveUp(new Body(10, 0).main(GeneratedWal.filler(20_000, 1)));
    assertThat(wal.end()).isEqualTo(START.plus(PAGE_BYTES));
    wal.add(0, 0xD0, 16);
    wal.add(10, 0, 100);
    WalReader reader = WalReader.seeking(wal.options(), START, START);
    assertSame(read(reader, wal, new Random(2), piece), wal.records);
    assertThat(reader.overwritten()).isEqualTo(givenUp);
  }

  @Test
  void zeroesAreToldOfAndTheLogMayGoOnThere() throws WalException {
    var wal = new GeneratedWal(WalVersion.V18, SEGMENT, START);
    wal.add(10, 0, 100);
    Lsn end = wal.end();
    wal.zeroes(3);
    for (int piece : new int[] {1, 3, 100_000}) {
      WalReader reader = WalReader.seeking(wal.options(), START, START);
      assertSame(read(reader, wal, new Random(2), piece), wal.records);
      assertThat(reader.next()).isEqualTo(Step.ZEROES);
      assertThat(reader.unfinished()).isEqualTo(Lsn.INVALID);
      assertThat(reader.rewind()).isEqualTo(end);
      var more = new GeneratedWal(WalVersion.V18, SEGMENT, START);
      more.add(10, 0, 100);
      more.add(10, 0, 9_000);
      byte[] bytes = more.bytes();
      int at = (int) end.minus(START);
      reader.feed(bytes, at, bytes.length - at);
      assertThat(reader.next()).isEqualTo(Step.RECORD);
      assertThat(reader.record().start()).isEqualTo(end);
      assertThat(reader.next()).isEqualTo(Step.MORE);
    }
  }

  @Test
  void zeroPageInsideOfARecordIsToldOfAndTheRecordComesWhenThePageIsThere() throws WalException {
    var wal = new GeneratedWal(WalVersion.V18, SEGMENT, START);
    wal.add(10, 0, 100);
    Lsn second = wal.add(10, 0, 12_000);
    byte[] bytes = wal.bytes();
    byte[] early = Arrays.copyOf(bytes, 2 * PAGE_BYTES);
    Arrays.fill(early, PAGE_BYTES, early.length, (byte) 0);
    WalReader reader = WalReader.seeking(wal.options(), START, START);
    reader.feed(early, 0, early.length);
    assertThat(reader.next()).isEqualTo(Step.RECORD);
    assertThat(reader.next()).isEqualTo(Step.ZEROES);
    assertThat(reader.unfinished()).isEqualTo(second);
    assertThat(reader.rewind()).isEqualTo(second);
    int at = (int) second.minus(START);
    reader.feed(bytes, at, bytes.length - at);
    assertThat(reader.next()).isEqualTo(Step.RECORD);
    assertThat(reader.record().start()).isEqualTo(second);
  }

  @Test
  void ofALongRecordOnlyTheStartIsKeptAndAllOfItChecked() throws WalException {
    var wal = new GeneratedWal(WalVersion.V18, SEGMENT, START);
    wal.add(21, 0, 3 << 20);
    Lsn next = wal.add(10, 0, 50);
    WalReader reader = WalReader.seeking(wal.options().keeping(10_000), START, START);
    byte[] bytes = wal.bytes();
    reader.feed(bytes, 0, bytes.length);
    assertThat(reader.next()).isEqualTo(Step.RECORD);
    WalRecord record = reader.record();
    assertThat(record.totalBytes()).isGreaterThan(3 << 20);
    assertThat(record.mainBytes()).isEqualTo(3 << 20);
    assertThat(record.raw().remaining()).isEqualTo(10_000);
    assertThat(record.mainInt(0))
        .isEqualTo(LittleEndian.integer(GeneratedWal.filler(3 << 20, 3 << 20), 0));
    assertThatThrownBy(record::main)
        .isInstanceOfSatisfying(
            WalException.class,
            e -> assertThat(e.problem()).isEqualTo(WalException.Problem.NOT_KEPT));
    assertThat(reader.next()).isEqualTo(Step.RECORD);
    assertThat(reader.record().start()).isEqualTo(next);

    bytes[(2 << 20) + 5000] ^= 1;
    assertThat(failure(wal, bytes).problem()).isEqualTo(WalException.Problem.CHECKSUM);
  }

  /** Else each further page would copy all pages before it. */
  @Test
  void whatIsNotKeptOfALongRecordIsNotCopied() throws WalException {
    var wal = new GeneratedWal(WalVersion.V18, SEGMENT, START);
    wal.add(21, 0, 64 << 20);
    byte[] bytes = wal.bytes();
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    WalReader reader = WalReader.seeking(wal.options().keeping(10_000), START, START);
    reader.feed(bytes, 0, bytes.length);
    assertThat(reader.next()).isEqualTo(Step.RECORD);
    assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(1 << 20);
  }

  @Test
  void announcedLengthTakesNoMemoryBeforeTheBytesHaveCome() throws WalException {
    var wal = new GeneratedWal(WalVersion.V18, SEGMENT, START);
    wal.add(21, 0, 64 << 20);
    byte[] bytes = wal.bytes();
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    WalReader reader = WalReader.seeking(wal.options().keeping(1 << 30), START, START);
    reader.feed(bytes, 0, 1 << 20);
    assertThat(reader.next()).isEqualTo(Step.MORE);
    assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(8 << 20);
    assertThat(reader.unfinished().isValid()).isTrue();
  }

  @Test
  void damageIsToldOfWhereItIs() {
    GeneratedWal wal = generated(WalVersion.V18, new Random(8), SEGMENT + 200_000);
    Written victim = wal.records.get(40);
    int at = (int) victim.start().minus(START);
    assertDamage(wal, at + 8, 1, WalException.Problem.RECORD, victim.start());
    assertDamage(wal, at + 17, 99, WalException.Problem.RECORD, victim.start());
    assertDamage(wal, at + 20, 1, WalException.Problem.CHECKSUM, victim.start());
    assertDamage(wal, at + 25, 1, WalException.Problem.CHECKSUM, victim.start());
    assertDamage(wal, at + 3, 0x70, WalException.Problem.RECORD, victim.start());
    // magic, flags, timeline, position, rest
    for (int field : new int[] {0, 3, 9}) {
      assertDamage(
          wal, PAGE_BYTES + field, 0x40, WalException.Problem.PAGE, START.plus(PAGE_BYTES));
    }
    assertDamage(wal, 32, 1, WalException.Problem.PAGE, START);
    assertDamage(wal, SEGMENT + 2, 2, WalException.Problem.PAGE, START.plus(SEGMENT));
    assertDamage(wal, 3 * PAGE_BYTES + 2, 2, WalException.Problem.PAGE, START.plus(3 * PAGE_BYTES));
    // The first page's timeline is then behind that of the second one.
    assertDamage(wal, 4, 2, WalException.Problem.PAGE, START.plus(PAGE_BYTES));
  }

  private static void assertDamage(
      GeneratedWal wal, int at, int flip, WalException.Problem problem, Lsn where) {
    byte[] bytes = wal.bytes();
    bytes[at] ^= (byte) flip;
    WalException e = failure(wal, bytes);
    assertThat(e.problem()).as(e.getMessage()).isEqualTo(problem);
    assertThat(e.at()).as(e.getMessage()).isEqualTo(where);
    assertThat(e).hasMessageStartingWith("WAL at " + where + ": ");
  }

  @Test
  void recordMustGoOnJustWhereItsPageSaysSo() {
    var wal = new GeneratedWal(WalVersion.V18, SEGMENT, START);
    wal.add(10, 0, 20_000);
    assertDamage(wal, PAGE_BYTES + 16, 1, WalException.Problem.PAGE, START.plus(PAGE_BYTES));
    assertDamage(wal, PAGE_BYTES + 2, 1, WalException.Problem.PAGE, START.plus(PAGE_BYTES));
    var other = new GeneratedWal(WalVersion.V18, SEGMENT, START);
    other.add(10, 0, PAGE_BYTES - 40 - 24 - 5);
    other.add(10, 0, 100);
    byte[] bytes = other.bytes();
    bytes[PAGE_BYTES + 2] = 1;
    bytes[PAGE_BYTES + 16] = 100;
    assertThat(failure(other, bytes)).hasMessageContaining("did not start");
  }

  @Test
  void timelineMayRise() throws WalException {
    var wal = new GeneratedWal(WalVersion.V18, SEGMENT, START);
    wal.add(10, 0, 10_000);
    wal.timeline(3);
    wal.add(10, 0, 10_000);
    WalReader reader = WalReader.seeking(wal.options(), START, START);
    assertSame(read(reader, wal, new Random(1), 1000), wal.records);
    assertThat(reader.timeline()).isEqualTo(3);
  }

  @Test
  void otherVersionThanTheOneExpectedIsRefused() {
    var wal = new GeneratedWal(WalVersion.V15, SEGMENT, START);
    wal.add(10, 0, 100);
    WalReader reader = WalReader.seeking(wal.options().with(WalVersion.V18), START, START);
    reader.feed(wal.bytes(), 0, 100);
    assertThatThrownBy(reader::next).hasMessageContaining("PostgreSQL 15 among 18");
  }

  @Test
  void resourceManagersOfExtensionsAreKnownSince15() throws WalException {
    for (WalVersion version : WalVersion.values()) {
      var wal = new GeneratedWal(version, SEGMENT, START);
      wal.add(200, 0x70, 100);
      if (version == WalVersion.V14) {
        assertThat(failure(wal, wal.bytes())).hasMessageContaining("resource manager 200");
      } else {
        WalReader reader = WalReader.seeking(wal.options(), START, START);
        reader.feed(wal.bytes(), 0, wal.bytes().length);
        assertThat(reader.next()).isEqualTo(Step.RECORD);
        assertThat(reader.record().resourceManagerName()).isEqualTo("custom200");
        assertThat(reader.record().name()).isEqualTo("UNKNOWN (70)");
      }
      var wrong = new GeneratedWal(version, SEGMENT, START);
      wrong.add(22, 0, 10);
      assertThat(failure(wrong, wrong.bytes())).hasMessageContaining("resource manager 22");
    }
  }

  @Test
  void cursorGoesOnWhenItsSourceHasGrown() throws Exception {
    GeneratedWal wal = generated(WalVersion.V16, new Random(9), SEGMENT / 2);
    byte[] bytes = wal.bytes();
    var random = new Random(4);
    int[] there = {0};
    WalCursor.Source source =
        (at, target, offset, length) -> {
          int from = (int) at.minus(START);
          // What is there is followed by zeroes, as in a segment that is being written.
          int part = Math.min(Math.min(length, 64), bytes.length - from);
          for (int i = 0; i < part; i++) {
            target[offset + i] = from + i < there[0] ? bytes[from + i] : 0;
          }
          return from >= there[0] + 500 ? 0 : Math.max(part, 0);
        };
    var cursor = new WalCursor(WalReader.seeking(wal.options(), START, START), source, 300);
    List<Lsn> found = new ArrayList<>();
    for (int i = 0; i < wal.records.size(); ) {
      // Up to where a whole record ends: the log is read no further than it is flushed.
      i = Math.min(i + random.nextInt(5), wal.records.size());
      there[0] = i == 0 ? 0 : (int) wal.records.get(i - 1).end().minus(START);
      while (cursor.next()) {
        found.add(cursor.record().start());
      }
      assertThat(found).hasSize(i);
    }
    assertThat(found).isEqualTo(wal.records.stream().map(Written::start).toList());
  }
}
