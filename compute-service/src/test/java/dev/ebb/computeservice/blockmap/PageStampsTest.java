package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.page.FileKey;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import org.junit.jupiter.api.Test;

final class PageStampsTest {
  private static final FileKey FILE = new FileKey(FileKey.Kind.RELATION, 5, 16400, 0, 0);

  private static ByteBuffer page(int high, int low) {
    return ByteBuffer.allocate(FileKey.BLOCK_BYTES)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(0, high)
        .putInt(4, low)
        .order(ByteOrder.BIG_ENDIAN);
  }

  @Test
  void stampIsThePagesLsnInAnyByteOrderOfTheBuffer() {
    assertThat(PageStamps.stamp(page(3, 0xF0000001))).isEqualTo(0x3_F000_0001L);
    assertThat(PageStamps.stamp(page(3, 0xF0000001).order(ByteOrder.LITTLE_ENDIAN)))
        .isEqualTo(0x3_F000_0001L);
  }

  @Test
  void onlyPagesChangedBehindThePositionAreLeft() {
    var stamps = new PageStamps();
    stamps.put(FILE, 7, 1, page(0, 100));
    stamps.put(FILE, 7, 100_000, page(1, 0));
    stamps.put(FILE, 7, 2, page(0, 0));
    PageStamps left = stamps.behind(100);
    PageStamps.OfFile file = Objects.requireNonNull(left.of(FILE, 7));
    assertThat(file.of(1)).isEqualTo(PageStamps.NONE);
    assertThat(file.of(100_000)).isEqualTo(1L << 32);
    assertThat(file.of(131_071)).isEqualTo(PageStamps.NONE);
    assertThat(left.of(FILE, 8)).isNull();
  }

  @Test
  void anotherIncarnationsPagesReplaceThose() {
    var stamps = new PageStamps();
    stamps.put(FILE, 7, 1, page(0, 100));
    stamps.put(FILE, 9, 2, page(0, 200));
    assertThat(stamps.of(FILE, 7)).isNull();
    assertThat(Objects.requireNonNull(stamps.of(FILE, 9)).of(1)).isEqualTo(PageStamps.NONE);
  }
}
