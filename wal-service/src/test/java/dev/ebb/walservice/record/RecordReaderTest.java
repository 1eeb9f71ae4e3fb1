package dev.ebb.walservice.record;

import static dev.ebb.walservice.record.WalPages.SEGMENT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;

class RecordReaderTest {
  private static final Lsn FIRST = new Lsn(3L * SEGMENT);

  private record Seen(Lsn start, Lsn end, int totalLength) {
    static Seen of(WalRecord record) {
      return new Seen(record.start(), record.end(), record.totalBytes());
    }
  }

  private record Walk(List<Seen> records, RecordReader.End end) {}

  private static Walk walk(WalSource source, Lsn from) {
    var reader = new RecordReader(source, SEGMENT, from, Lsn.INVALID);
    List<Seen> records = new ArrayList<>();
    while (true) {
      switch (reader.next()) {
        case RecordReader.Found found -> records.add(Seen.of(found.record()));
        case RecordReader.End end -> {
          return new Walk(records, end);
        }
      }
    }
  }

  private static Walk walk(WalPages pages) {
    return walk(WalPages.source(pages.first(), pages.bytes()), pages.first());
  }

  @Test
  void recordsAcrossPagesAndSegmentsAreFoundWithTheirEnds() {
    var random = new Random(1);
    var pages = new WalPages(FIRST);
    List<Lsn> starts = new ArrayList<>();
    while (pages.end().minus(FIRST) < 3 * SEGMENT) {
      starts.add(pages.add(24 + random.nextInt(random.nextInt(20) == 0 ? 60_000 : 500)));
    }
    Walk walk = walk(pages);
    assertThat(walk.records()).extracting(Seen::start).isEqualTo(starts);
    assertThat(walk.end().at()).isEqualTo(pages.end());
  }

  @Test
  void aLogThatEndsAtAPagesEndEndsBeforeTheNextPagesHeader() {
    var pages = new WalPages(FIRST);
    pages.add(100);
    pages.addToPageEnd();
    Lsn boundary = FIRST.plus(WalPage.BYTES);
    assertThat(pages.end()).isEqualTo(boundary);
    assertThat(walk(pages).end().at()).isEqualTo(boundary);
    // The next record starts behind the header, and the walk goes on from the boundary.
    assertThat(pages.add(100)).isEqualTo(boundary.plus(WalPage.SHORT_HEADER_BYTES));
    WalSource source = WalPages.source(FIRST, pages.bytes());
    assertThat(walk(source, boundary).records()).hasSize(1);
    assertThat(walk(source, boundary.plus(24)).records()).hasSize(1);
    assertThat(WalPage.recordStart(boundary, SEGMENT)).isEqualTo(boundary.plus(24));
  }

  @Test
  void aLogThatEndsAtASegmentsEndEndsBeforeTheLongHeader() {
    var pages = new WalPages(FIRST);
    while (FIRST.plus(SEGMENT).minus(pages.end()) > WalPage.BYTES) {
      pages.addToPageEnd();
    }
    pages.addToPageEnd();
    Lsn boundary = FIRST.plus(SEGMENT);
    assertThat(walk(pages).end().at()).isEqualTo(boundary);
    assertThat(pages.add(50)).isEqualTo(boundary.plus(WalPage.LONG_HEADER_BYTES));
    assertThat(walk(WalPages.source(FIRST, pages.bytes()), boundary).records()).hasSize(1);
  }

  @Test
  void aSegmentSwitchEndsAtTheNextSegmentAndIsIncompleteWithoutItsPadding() {
    var pages = new WalPages(FIRST);
    pages.add(100);
    Lsn switched = pages.addSwitch();
    assertThat(walk(pages).end().at()).isEqualTo(FIRST.plus(SEGMENT));
    byte[] cut = Arrays.copyOf(pages.bytes(), SEGMENT - 8);
    assertThat(walk(WalPages.source(FIRST, cut), FIRST).end().at()).isEqualTo(switched);
    pages.add(80);
    assertThat(walk(pages).records()).hasSize(3);
  }

  @Test
  void aHistoryThatBeginsInsideAPageCanBeWalked() {
    var pages = new WalPages(FIRST);
    pages.add(100);
    Lsn middle = pages.end();
    pages.add(200);
    pages.add(9000);
    byte[] rest =
        Arrays.copyOfRange(pages.bytes(), (int) middle.minus(FIRST), pages.bytes().length);
    assertThat(walk(WalPages.source(middle, rest), middle).records()).hasSize(2);
  }

  @Test
  void aWalkFromBeforeWhatIsThereEndsAtOnce() {
    var pages = new WalPages(FIRST);
    pages.add(5_000);
    Lsn second = pages.add(500);
    WalSource rest =
        WalPages.source(
            second,
            Arrays.copyOfRange(
                pages.bytes(), (int) second.minus(FIRST), (int) pages.end().minus(FIRST)));
    Walk walk = walk(rest, FIRST);
    assertThat(walk.records()).isEmpty();
    assertThat(walk.end()).isEqualTo(new RecordReader.End(FIRST, "the log begins at " + second + " only"));
  }

  @Test
  void cutAnywhereTheEndIsThatOfTheLastWholeRecord() {
    var random = new Random(2);
    var pages = new WalPages(FIRST);
    List<Lsn> ends = new ArrayList<>();
    ends.add(FIRST);
    while (pages.end().minus(FIRST) < 40_000) {
      pages.add(24 + random.nextInt(3000));
      ends.add(pages.end());
    }
    byte[] bytes = pages.bytes();
    for (int cut = 0; cut <= bytes.length; cut += 1 + random.nextInt(40)) {
      Lsn end = walk(WalPages.source(FIRST, Arrays.copyOf(bytes, cut)), FIRST).end().at();
      Lsn limit = FIRST.plus(cut);
      Lsn expected = ends.stream().filter(e -> !e.isAfter(limit)).reduce((a, b) -> b).orElseThrow();
      assertThat(end).as("cut at %s", limit).isEqualTo(expected);
    }
  }

  @Test
  void everySingleChangedByteEndsTheChainAtItsRecordOrEarlier() {
    var random = new Random(3);
    var pages = new WalPages(FIRST);
    while (pages.end().minus(FIRST) < 30_000) {
      pages.add(24 + random.nextInt(2000));
    }
    byte[] bytes = pages.bytes();
    for (int i = 0; i < bytes.length; i += 1 + random.nextInt(7)) {
      byte[] broken = bytes.clone();
      broken[i] ^= (byte) (1 << random.nextInt(8));
      Walk walk = walk(WalPages.source(FIRST, broken), FIRST);
      Lsn at = FIRST.plus(i);
      for (Seen record : walk.records()) {
        boolean covers = record.start().compareTo(at) <= 0 && record.end().isAfter(at);
        // Padding, and the headers of pages inside, are outside of the checksum.
        boolean inRecord =
            covers
                && !isHeader(at)
                && at.isBefore(
                    WalPage.skip(record.start(), record.totalLength() - 1, SEGMENT).plus(1));
        assertThat(inRecord)
            .as("the record at %s with byte %s changed", record.start(), at)
            .isFalse();
      }
    }
  }

  private static boolean isHeader(Lsn at) {
    return WalPage.offsetIn(at) < WalPage.headerBytes(WalPage.startOf(at), SEGMENT);
  }

  @Test
  void noGarbageMakesItLoopOrOverrun() {
    Assertions.assertThatNoException()
        .isThrownBy(() ->
            org.junit.jupiter.api.Assertions.assertTimeoutPreemptively(
                Duration.ofSeconds(60), RecordReaderTest::fuzz));
  }

  private static void fuzz() {
    var pages = new WalPages(FIRST);
    var random = new Random(4);
    while (pages.end().minus(FIRST) < 60_000) {
      pages.add(24 + random.nextInt(5000));
    }
    byte[] good = pages.bytes();
    for (int seed = 0; seed < 20_000; seed++) {
      random.setSeed(seed);
      byte[] bytes = random.nextInt(10) == 0 ? new byte[random.nextInt(40_000)] : good.clone();
      if (bytes.length != good.length) {
        random.nextBytes(bytes);
      }
      for (int i = random.nextInt(50); i > 0 && bytes.length > 8; i--) {
        int at = random.nextInt(bytes.length - 8);
        if (random.nextBoolean()) {
          bytes[at] = (byte) random.nextInt();
        } else { // impossible lengths, flags, positions
          Arrays.fill(bytes, at & -8, (at & -8) + 4, (byte) (random.nextBoolean() ? 0xFF : 0x7F));
        }
      }
      Lsn first = random.nextInt(5) == 0 ? FIRST.plus(8L * random.nextInt(2000)) : FIRST;
      Walk walk = walk(WalPages.source(first, bytes), first);
      assertThat(walk.end().at()).isLessThanOrEqualTo(first.plus(bytes.length));
    }
  }
}
