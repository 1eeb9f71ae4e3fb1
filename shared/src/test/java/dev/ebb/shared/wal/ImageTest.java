package dev.ebb.shared.wal;

import static dev.ebb.shared.wal.GeneratedWal.Body.fields;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import dev.ebb.shared.wal.GeneratedWal.Body;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Random;
import net.jpountz.lz4.LZ4Factory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ImageTest {
  private static final RelFileLocator TABLE = new RelFileLocator(1663, 5, 16384);
  private static final int HOLE_AT = 500;
  private static final int HOLE = 3000;

  /** A page with a hole, the rest neither random nor the same all over. */
  private static byte[] page(boolean hole) {
    byte[] page = new byte[8192];
    var random = new Random(1);
    for (int i = 0; i < page.length; i++) {
      page[i] = (byte) (random.nextInt(4) == 0 ? random.nextInt(256) : i / 100);
    }
    if (hole) {
      Arrays.fill(page, HOLE_AT, HOLE_AT + HOLE, (byte) 0);
    }
    return page;
  }

  private static byte[] withoutHole(byte[] page, boolean hole) {
    if (!hole) {
      return page;
    }
    byte[] rest = Arrays.copyOf(page, 8192 - HOLE);
    System.arraycopy(page, HOLE_AT + HOLE, rest, HOLE_AT, rest.length - HOLE_AT);
    return rest;
  }

  private static byte[] pack(String method, byte[] bytes) {
    return switch (method) {
      case "PGLZ" -> pglz(bytes);
      case "LZ4" -> LZ4Factory.safeInstance().fastCompressor().compress(bytes);
      case "ZSTD" -> Zstd.compress(bytes);
      default -> bytes;
    };
  }

  /** A simple compressor: the longest of the copies from less than 4096 bytes before. */
  static byte[] pglz(byte[] bytes) {
    var out = new ByteArrayOutputStream();
    var group = new ByteArrayOutputStream();
    int control = 0;
    int items = 0;
    int at = 0;
    while (at < bytes.length) {
      int best = 0;
      int bestBack = 0;
      for (int back = 1; back < 4096 && back <= at; back++) {
        int length = 0;
        while (length < 273 && at + length < bytes.length) {
          if (bytes[at + length] != bytes[at + length - back]) {
            break;
          }
          length++;
        }
        if (length > best) {
          best = length;
          bestBack = back;
        }
      }
      if (best >= 3) {
        control |= 1 << items;
        group.write((bestBack >> 8 << 4) | Math.min(best - 3, 15));
        group.write(bestBack);
        if (best >= 18) {
          group.write(best - 18);
        }
        at += best;
      } else {
        group.write(bytes[at++]);
      }
      items++;
      if (items == 8 || at == bytes.length) {
        out.write(control);
        out.writeBytes(group.toByteArray());
        group.reset();
        control = 0;
        items = 0;
      }
    }
    return out.toByteArray();
  }

  private static Body body(int info, byte[] image, boolean hole, boolean holeLength) {
    var header = fields(holeLength ? 7 : 5);
    header.putShort((short) image.length);
    header.putShort((short) (hole ? HOLE_AT : 0)).put((byte) info);
    if (holeLength) {
      header.putShort((short) HOLE);
    }
    return new Body(0, 0xB0)
        .block(0, 0x10, TABLE, 1, Body.all(header), image, new byte[0])
        .main(new byte[] {1});
  }

  @ParameterizedTest
  @CsvSource({
    "V14,NONE,0,4",
    "V14,PGLZ,2,4",
    "V15,NONE,0,2",
    "V15,PGLZ,4,2",
    "V15,LZ4,8,2",
    "V15,ZSTD,16,2",
    "V16,NONE,0,2",
    "V16,PGLZ,4,2",
    "V16,LZ4,8,2",
    "V16,ZSTD,16,2",
    "V17,NONE,0,2",
    "V17,PGLZ,4,2",
    "V17,LZ4,8,2",
    "V17,ZSTD,16,2",
    "V18,NONE,0,2",
    "V18,PGLZ,4,2",
    "V18,LZ4,8,2",
    "V18,ZSTD,16,2",
  })
  void imageUnpacksToItsPage(WalVersion version, String method, int flag, int apply)
      throws WalException {
    for (boolean hole : new boolean[] {false, true}) {
      byte[] page = page(hole);
      byte[] packed = pack(method, withoutHole(page, hole));
      for (int applies : new int[] {0, apply}) {
        int info = flag | applies | (hole ? 1 : 0);
        boolean holeLength = hole && flag != 0;
        WalBlock block = Records.read(version, body(info, packed, hole, holeLength)).block(0);
        assertThat(block.compression()).hasToString(method);
        assertThat(block.imageApplies()).isEqualTo(applies != 0);
        assertThat(block.imageBytes()).isEqualTo(packed.length);
        assertThat(block.holeBytes()).isEqualTo(hole ? HOLE : 0);
        byte[] restored = new byte[10_000];
        Arrays.fill(restored, (byte) 0x77);
        block.restoreImage(restored, 1000);
        assertThat(Arrays.equals(restored, 1000, 9192, page, 0, 8192)).isTrue();
        assertThat(restored[999]).isEqualTo((byte) 0x77);
        assertThat(restored[9192]).isEqualTo((byte) 0x77);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"PGLZ,4", "LZ4,8", "ZSTD,16"})
  void imageThatDoesNotUnpackIsToldOfAndNothingIsWrittenBesideThePage(String method, int flag)
      throws WalException {
    byte[] packed = pack(method, withoutHole(page(true), true));
    var random = new Random(2);
    int told = 0;
    for (int i = 0; i < 3_000; i++) {
      byte[] damaged = packed.clone();
      for (int flips = random.nextInt(3); flips >= 0; flips--) {
        damaged[random.nextInt(Math.min(damaged.length, 1 + random.nextInt(damaged.length)))] ^=
            (byte) (1 << random.nextInt(8));
      }
      if (random.nextInt(3) == 0) {
        damaged = Arrays.copyOf(damaged, 1 + random.nextInt(damaged.length));
      }
      WalBlock block = Records.read(WalVersion.V16, body(flag | 1, damaged, true, true)).block(0);
      byte[] target = new byte[8192 + 64];
      Arrays.fill(target, (byte) 0x33);
      try {
        block.restoreImage(target, 32);
      } catch (WalException e) {
        assertThat(e.problem()).isEqualTo(WalException.Problem.CONTENT);
        told++;
      }
      for (int j = 0; j < 32; j++) {
        assertThat(target[j]).isEqualTo((byte) 0x33);
        assertThat(target[8192 + 32 + j]).isEqualTo((byte) 0x33);
      }
    }
    assertThat(told).isPositive();
  }

  @Test
  void pglzCopiesMayReachIntoThemselves() {
    // One byte, then a copy of 18 + 82 bytes from one byte before.
    byte[] packed = {0b10, 'x', 0x0F, 1, 82};
    byte[] out = new byte[101];
    assertThat(Pglz.unpack(packed, 0, packed.length, out, 0, out.length)).isTrue();
    assertThat(new String(out, java.nio.charset.StandardCharsets.US_ASCII))
        .isEqualTo("x".repeat(101));
    assertThat(Pglz.unpack(packed, 0, packed.length, new byte[102], 0, 102)).isFalse();
    assertThat(Pglz.unpack(packed, 0, packed.length - 1, out, 0, out.length)).isFalse();
    byte[] tooFar = {0b10, 'x', 0x00, 2};
    assertThat(Pglz.unpack(tooFar, 0, tooFar.length, out, 0, 4)).isFalse();
  }

  @Test
  void pageMustHaveRoom() throws WalException {
    WalBlock block = Records.read(WalVersion.V18, body(2, page(false), false, false)).block(0);
    assertThatThrownBy(() -> block.restoreImage(new byte[8192], 1))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }
}
