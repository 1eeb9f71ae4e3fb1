package dev.ebb.shared.wal;

import com.github.luben.zstd.Zstd;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.GeneratedWal.Body;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import net.jpountz.lz4.LZ4Factory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Composed WAL of every version, damaged. The seed is printed; set ebb.fuzz.seed to repeat. */
final class WalFuzzTest {
  private static final long SEED = Long.getLong("ebb.fuzz.seed", System.nanoTime());
  private static final long MILLIS = Long.getLong("ebb.fuzz.millis", 1_000);
  private static final int SEGMENT = 1 << 20;
  private static final RelFileLocator TABLE = new RelFileLocator(1663, 5, 16384);

  @ParameterizedTest
  @EnumSource(WalVersion.class)
  void damageNeverLoopsOverrunsOrFillsMemory(WalVersion version) throws WalException {
    System.out.println("ebb.fuzz.seed=" + SEED);
    // It ends near a segment's start, so that long page headers are among what is damaged.
    var wal = new GeneratedWal(version, SEGMENT, new Lsn(9L * SEGMENT - 20 * 8192));
    var random = new Random(5);
    for (int i = 0; i < 1_000; i++) {
      wal.add(body(version, random));
      if (i % 200 == 199) {
        wal.giveUp(new Body(10, 0).main(new byte[9_000]));
      }
    }
    var fuzz = new WalFuzz(wal.bytes(), wal.start, SEGMENT);
    System.out.println(fuzz.run(SEED, MILLIS));
  }

  private static Body body(WalVersion version, Random random) {
    return switch (random.nextInt(6)) {
      case 0 -> new Body(10, random.nextInt(8) << 4).main(new byte[random.nextInt(400)]);
      case 1 ->
          new Body(11, 0)
              .xid(7)
              .block(0, 0x20, TABLE, 1, new byte[20])
              .block(3, 0x80, TABLE, 2, new byte[0])
              .main(new byte[8]);
      case 2, 3 -> image(version, random);
      case 4 -> end(version, random);
      default -> new Body(21, 0).origin(3).topLevelXid(9).main(new byte[random.nextInt(3_000)]);
    };
  }

  private static Body image(WalVersion version, Random random) {
    byte[] page = new byte[5000];
    for (int i = 0; i < page.length; i++) {
      page[i] = (byte) (i / 50);
    }
    int method = random.nextInt(version == WalVersion.V14 ? 2 : 4);
    byte[] packed =
        switch (method) {
          case 0 -> page;
          case 1 -> Packed.PGLZ;
          case 2 -> LZ4Factory.safeInstance().fastCompressor().compress(page);
          default -> Zstd.compress(page);
        };
    int info =
        version == WalVersion.V14 ? method * 2 + 1 + 4 : (method == 0 ? 0 : 2 << method) + 1 + 2;
    ByteBuffer header = Body.fields(method == 0 ? 5 : 7);
    header.putShort((short) packed.length).putShort((short) 100).put((byte) info);
    if (method != 0) {
      header.putShort((short) 3192);
    }
    return new Body(0, 0xB0).block(0, 0x10, TABLE, 9, Body.all(header), packed, new byte[0]);
  }

  private static final class Packed {
    static final byte[] PGLZ = pglz();

    private Packed() {}

    private static byte[] pglz() {
      byte[] page = new byte[5000];
      for (int i = 0; i < page.length; i++) {
        page[i] = (byte) (i / 50);
      }
      return ImageTest.pglz(page);
    }
  }

  private static Body end(WalVersion version, Random random) {
    if (random.nextInt(3) == 0) {
      byte[] state = new byte[120 + random.nextInt(100)];
      Body.fields(4).putInt(0x57F94534).flip().get(state, 0, 4);
      state[version == WalVersion.V14 ? 46 : 54] = 20;
      return new Body(1, 0x10).xid(8).main(state);
    }
    boolean statistics = version != WalVersion.V14;
    ByteBuffer data = Body.fields(400).putLong(7).putInt(statistics ? 0x1BF : 0xBF);
    data.putInt(5).putInt(1663).putInt(2).putInt(701).putInt(702);
    data.putInt(1).putInt(1663).putInt(5).putInt(16385);
    if (statistics) {
      data.putInt(1).put(new byte[version == WalVersion.V18 ? 16 : 12]);
    }
    data.putInt(1).put(new byte[16]);
    data.putInt(700).put(new byte[] {'g', 'i', 'd', 0}).putLong(1).putLong(2);
    int operation = random.nextInt(2) == 0 ? 0xB0 : 0xC0;
    return new Body(1, operation).origin(2).main(Arrays.copyOf(Body.all(data), data.position()));
  }
}
