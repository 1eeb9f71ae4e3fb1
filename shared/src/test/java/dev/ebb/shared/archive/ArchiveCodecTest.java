package dev.ebb.shared.archive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class ArchiveCodecTest {
  private static final String WHAT = "the object";

  /** Of {@link #few}, as format 1 was first written. */
  private static final String GOLDEN =
      "45424257010000000b07010400a50246f006f7a33e64cd0828b52ffd602500e50100f0000103fffb"
          + "00010201000000280807010303030102030303ac02102bc8010c0034400114209366e70202d7fd3c"
          + "98aa018089cfacdce418103c0022";

  private static List<ArchivedRecord> few() {
    return List.of(
        new ArchivedRecord(7, 1, 3, -5, 0, new byte[0]),
        new ArchivedRecord(8, 2, 3, -5, 0x1_0000_0028L, new byte[] {0, 0, 0, 0, 0, 0, 0, 7}),
        new ArchivedRecord(9, 3, 3, -5, 0x1_0000_0028L, new byte[] {1, 2, 3}),
        new ArchivedRecord(12, 3, 300, 1L << 60, 0x1_0000_002BL, new byte[200]));
  }

  private static List<ArchivedRecord> read(byte[] content, long from) {
    List<ArchivedRecord> read = new ArrayList<>();
    assertThat(ArchiveCodec.decode(WHAT, content, from, read::add)).isTrue();
    return read;
  }

  private static void assertSame(List<ArchivedRecord> read, List<ArchivedRecord> expected) {
    assertThat(read).hasSameSizeAs(expected);
    for (int i = 0; i < read.size(); i++) {
      ArchivedRecord record = read.get(i);
      ArchivedRecord other = expected.get(i);
      assertThat(Arrays.equals(record.bytes(), other.bytes())).isTrue();
      assertThat(record)
          .isEqualTo(
              new ArchivedRecord(
                  other.offset(),
                  other.kind(),
                  other.generation(),
                  other.writer(),
                  other.lsn(),
                  record.bytes()));
    }
  }

  @Test
  void recordsComeBackFromAnyOffsetOn() {
    byte[] content = ArchiveCodec.encode(few());

    for (int from = 0; from < 14; from++) {
      int first = from;
      assertSame(
          read(content, from), few().stream().filter(record -> record.offset() >= first).toList());
    }
  }

  @Test
  void manyBlocksComeBackAndReadingStopsWhereItIsTold() {
    var random = new Random(5);
    List<ArchivedRecord> records = new ArrayList<>();
    for (int i = 0; i < 400; i++) {
      var bytes = new byte[random.nextInt(30_000)];
      random.nextBytes(bytes);
      records.add(new ArchivedRecord(1_000 + i, 3, 1, 2, 8L * i, bytes));
    }
    byte[] content = ArchiveCodec.encode(records);

    assertSame(read(content, 0), records);
    for (int from : new int[] {1_000, 1_001, 1_200, 1_399, 1_400}) {
      assertSame(read(content, from), records.subList(from - 1_000, 400));
    }
    List<ArchivedRecord> some = new ArrayList<>();
    assertThat(
            ArchiveCodec.decode(
                WHAT,
                content,
                1_100,
                record -> {
                  some.add(record);
                  return some.size() < 3;
                }))
        .isFalse();
    assertSame(some, records.subList(100, 103));
  }

  /** Formats are for ever: what this holds must stay readable. */
  @Test
  void formatOneIsStillRead() {
    assertSame(read(HexFormat.of().parseHex(GOLDEN), 0), few());
  }

  @Test
  void everyFlippedBitIsFound() {
    byte[] content = ArchiveCodec.encode(few());
    for (int at = 0; at < content.length; at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] flipped = content.clone();
        flipped[at] ^= (byte) (1 << bit);
        assertThatThrownBy(() -> read(flipped, 0))
            .as("bit %d of byte %d", bit, at)
            .isInstanceOf(at == 4 ? EbbException.Unavailable.class : EbbException.Corrupt.class)
            .hasMessageContaining(WHAT);
      }
    }
  }

  @Test
  void everyCutAndWhatIsTooLongIsFound() {
    byte[] content = ArchiveCodec.encode(few());
    for (int length = 0; length < content.length; length++) {
      byte[] cut = Arrays.copyOf(content, length);
      assertThatThrownBy(() -> read(cut, 0)).isInstanceOf(EbbException.Corrupt.class);
    }
    byte[] longer = Arrays.copyOf(content, content.length + 1);
    assertThatThrownBy(() -> read(longer, 0)).hasMessageContaining("1 bytes too many");
  }

  @Test
  void newerFormatIsNamed() {
    byte[] content = ArchiveCodec.encode(few());
    content[4] = 2;
    assertThatThrownBy(() -> read(content, 0))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("the object is of format 2; this Ebb knows format 1");
  }

  @Test
  void recordsOutOfOrderAreRefused() {
    List<ArchivedRecord> wrong = List.of(few().get(1), few().get(0));
    assertThatThrownBy(() -> ArchiveCodec.encode(wrong))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> ArchiveCodec.encode(List.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
