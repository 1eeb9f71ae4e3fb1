package dev.ebb.pageservice.pack;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.Pages;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.FileKey;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

final class PackTest {
  private static final FileId A = new FileId(Pages.heap(1000), 1);
  private static final FileId B = new FileId(Pages.heap(1000), 2);
  private static final FileId X = new FileId(new FileKey(FileKey.Kind.XACT, 0, 0, 0, 7), 1);

  private final PageCodec codec = new PageCodec(1);

  private void add(PackBuilder builder, FileId file, int block, byte[] page) {
    var record = new byte[PageCodec.MAX_RECORD_BYTES];
    int length = codec.encode(file, block, page, 0, record, 0);
    builder.add(file, block, record, 0, length);
  }

  private PackBuilder.Built sample() {
    var builder = new PackBuilder();
    add(builder, X, 3, Pages.noise(3));
    add(builder, B, 7, Pages.page(2, B.key(), 7));
    add(builder, A, 9, Pages.page(1, A.key(), 9));
    add(builder, A, 0, Pages.page(0, A.key(), 0));
    add(builder, A, 8, Pages.zero());
    add(builder, A, 0, Pages.page(1, A.key(), 0));
    return builder.build("branches/b/packs/s-0");
  }

  private static PackIndex index(PackBuilder.Built pack) {
    byte[] content = pack.content();
    PackRef ref = pack.ref();
    return PackIndex.decode(
        ref, Arrays.copyOfRange(content, content.length - ref.indexBytes(), content.length));
  }

  private byte[] read(PackBuilder.Built pack, FileId file, int block) {
    PackIndex index = index(pack);
    int page = index.find(file, block);
    var out = new byte[FileKey.BLOCK_BYTES];
    codec.decode(file, block, pack.content(), index.offset(page), index.recordBytes(page), out, 0);
    return out;
  }

  @Test
  void pagesComeBackByFileIncarnationAndBlockAndTheLastOneWins() {
    PackBuilder.Built pack = sample();

    assertThat(pack.pages()).isEqualTo(5);
    assertThat(read(pack, A, 0)).isEqualTo(Pages.page(1, A.key(), 0));
    assertThat(read(pack, A, 8)).isEqualTo(Pages.zero());
    assertThat(read(pack, A, 9)).isEqualTo(Pages.page(1, A.key(), 9));
    assertThat(read(pack, B, 7)).isEqualTo(Pages.page(2, B.key(), 7));
    assertThat(read(pack, X, 3)).isEqualTo(Pages.noise(3));
    assertThat(index(pack).find(A, 7)).isEqualTo(-1);
    assertThat(index(pack).find(B, 0)).isEqualTo(-1);
    assertThat(index(pack).find(new FileId(A.key(), 3), 0)).isEqualTo(-1);
    assertThat(PackIndex.refOfWhole(pack.ref().key(), pack.content())).isEqualTo(pack.ref());
  }

  @Test
  void zeroPagesCostNextToNothing() {
    var builder = new PackBuilder();
    for (int block = 0; block < 100_000; block++) {
      add(builder, A, block, Pages.zero());
    }

    assertThat(builder.build("k").content().length).isLessThan(1_000);
  }

  @Test
  void emptyPackIsReadable() {
    PackBuilder.Built pack = new PackBuilder().build("k");

    assertThat(index(pack).pages()).isZero();
    assertThat(index(pack).find(A, 0)).isEqualTo(-1);
  }

  @Test
  void recordOfAnotherPlaceIsCorrupt() {
    var record = new byte[PageCodec.MAX_RECORD_BYTES];
    int length = codec.encode(A, 5, Pages.page(1, A.key(), 5), 0, record, 0);
    var out = new byte[FileKey.BLOCK_BYTES];

    assertThatCode(() -> codec.decode(A, 5, record, 0, length, out, 0)).doesNotThrowAnyException();
    assertThatThrownBy(() -> codec.decode(A, 6, record, 0, length, out, 0))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("block 6 of base/16384/1000");
    assertThatThrownBy(() -> codec.decode(B, 5, record, 0, length, out, 0))
        .isInstanceOf(EbbException.Corrupt.class);
  }

  @Test
  void everyFlippedBitOfRecordIsNoticed() {
    for (byte[] page : new byte[][] {Pages.page(1, A.key(), 5), Pages.noise(1)}) {
      var record = new byte[PageCodec.MAX_RECORD_BYTES];
      int length = codec.encode(A, 5, page, 0, record, 0);
      var out = new byte[FileKey.BLOCK_BYTES];
      for (int bit = 0; bit < length * 8; bit += 3) {
        record[bit / 8] ^= (byte) (1 << (bit % 8));
        assertThatThrownBy(() -> codec.decode(A, 5, record, 0, length, out, 0))
            .isInstanceOf(EbbException.Corrupt.class);
        record[bit / 8] ^= (byte) (1 << (bit % 8));
      }
      assertThatThrownBy(() -> codec.decode(A, 5, record, 0, length - 1, out, 0))
          .isInstanceOf(EbbException.Corrupt.class);
    }
  }

  @Test
  void damagedOrCutIndexIsCorruptAndNothingElse() {
    PackBuilder.Built pack = sample();
    byte[] content = pack.content();
    int indexBytes = pack.ref().indexBytes();
    byte[] stored = Arrays.copyOfRange(content, content.length - indexBytes, content.length);
    var random = new Random(42);
    for (int i = 0; i < 20_000; i++) {
      byte[] damaged = stored.clone();
      int changes = 1 + random.nextInt(4);
      for (int c = 0; c < changes; c++) {
        damaged[random.nextInt(damaged.length)] ^= (byte) (1 + random.nextInt(255));
      }
      if (!Arrays.equals(damaged, stored)) {
        assertThatThrownBy(() -> PackIndex.decode(pack.ref(), damaged))
            .isInstanceOf(EbbException.Corrupt.class);
      }
    }
    for (int length = 0; length < stored.length; length++) {
      byte[] cut = Arrays.copyOf(stored, length);
      var ref = new PackRef("k", pack.ref().bytes(), length);
      assertThatThrownBy(() -> PackIndex.decode(ref, cut)).isInstanceOf(EbbException.Corrupt.class);
    }
    for (int length = 0; length < content.length; length += 11) {
      byte[] cut = Arrays.copyOf(content, length);
      assertThatThrownBy(
              () -> {
                PackRef ref = PackIndex.refOfWhole("k", cut);
                PackIndex.decode(
                    ref, Arrays.copyOfRange(cut, cut.length - ref.indexBytes(), cut.length));
              })
          .isInstanceOf(EbbException.Corrupt.class);
    }
  }

  @Test
  void indexOfAnotherPackSizeIsCorrupt() {
    PackBuilder.Built pack = sample();
    byte[] content = pack.content();
    PackRef ref = pack.ref();
    byte[] stored = Arrays.copyOfRange(content, content.length - ref.indexBytes(), content.length);

    assertThatThrownBy(() ->
            PackIndex.decode(new PackRef(ref.key(), ref.bytes() - 1, ref.indexBytes()), stored))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining(ref.key());
  }

  @Test
  void newerPackIndexAndRecordAreNamed() {
    PackBuilder.Built pack = sample();
    byte[] newer = pack.content().clone();
    newer[4] = 2;
    assertThatThrownBy(() -> PackIndex.refOfWhole("k", newer))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("format 2");

    byte[] content = pack.content();
    int indexBytes = pack.ref().indexBytes();
    byte[] index = Arrays.copyOfRange(content, content.length - indexBytes, content.length);
    index[index.length - 9] = 3;
    sign(index, 0, index.length - 4, index.length - 4);
    assertThatThrownBy(() -> PackIndex.decode(pack.ref(), index))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("format 3");
  }

  private static void sign(byte[] bytes, int from, int length, int at) {
    var crc = new CRC32C();
    crc.update(bytes, from, length);
    ByteBuffer.wrap(bytes).putInt(at, (int) crc.getValue());
  }

  /** Formats are for ever: what this holds must stay readable. */
  @Test
  void packOfFormatOneIsStillRead() {
    var builder = new PackBuilder();
    var page = new byte[FileKey.BLOCK_BYTES];
    byte[] text = "Ebb".getBytes(StandardCharsets.US_ASCII);
    for (int i = 0; i < page.length; i++) {
      page[i] = text[i % 3];
    }
    add(builder, A, 2, page);
    add(builder, A, 3, Pages.zero());
    byte[] golden = HexFormat.of().parseHex(GOLDEN);

    assertThat(HexFormat.of().formatHex(builder.build("k").content())).isEqualTo(GOLDEN);
    PackRef ref = PackIndex.refOfWhole("k", golden);
    assertThat(read(new PackBuilder.Built(ref, golden, 2), A, 2)).isEqualTo(page);
  }

  private static final String GOLDEN =
      "4542425001b8f008d6010018550000184562620100fa6fef8628b52ffd200f7900000100808001e80700000102"
          + "02001400000000180000000f01454242495c0f54fd";
}
