package dev.ebb.shared.wal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.GeneratedWal.Body;
import dev.ebb.shared.wal.text.RecordText;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Records that no load writes within a test's time, forged with contents at random: {@code
 * pg_waldump} reads them as well. Wants the server package of Debian's PostgreSQL 15.
 */
final class ForgedRecordsIT {
  private static final Path WALDUMP = Path.of("/usr/lib/postgresql/15/bin/pg_waldump");
  private static final int SEGMENT_BYTES = 16 << 20;
  private static final Lsn START = new Lsn(SEGMENT_BYTES);
  private static final RelFileLocator RELATION = new RelFileLocator(1663, 5, 16384);
  private static final int ROUNDS = 20;

  @TempDir private Path directory;

  @Test
  void everyKindIsDescribedAsWaldumpDescribesIt() throws Exception {
    assumeTrue(Files.isExecutable(WALDUMP), "PostgreSQL 15 has no pg_waldump here");
    long seed = Long.getLong("ebb.forge.seed", System.nanoTime());
    System.out.println("ebb.forge.seed=" + seed);
    var random = new Random(seed);
    var wal = new GeneratedWal(WalVersion.V15, SEGMENT_BYTES, START);
    for (int round = 0; round < ROUNDS; round++) {
      for (ResourceManager manager : ResourceManager.values()) {
        for (int operation = 0; operation <= 0xF0; operation += 0x10) {
          Body forged = forge(manager, operation, random);
          if (forged != null) {
            wal.add(forged.xid(random.nextInt()));
          }
        }
      }
    }
    Files.write(
        directory.resolve("000000010000000000000001"), Arrays.copyOf(wal.bytes(), SEGMENT_BYTES));
    List<String> theirs = waldump(wal.end());
    List<String> mine = new ArrayList<>();
    var reader = WalReader.seeking(wal.options(), START, START);
    reader.feed(wal.bytes(), 0, wal.bytes().length);
    while (reader.next() == WalReader.Step.RECORD) {
      mine.add(RecordText.line(reader.record()));
    }
    assertThat(mine).hasSizeGreaterThan(ROUNDS * 100);
    for (int i = 0; i < Math.min(mine.size(), theirs.size()); i++) {
      assertThat(mine.get(i)).isEqualTo(theirs.get(i));
    }
    assertThat(theirs).hasSameSizeAs(mine);
  }

  private List<String> waldump(Lsn end) throws Exception {
    var builder =
        new ProcessBuilder(
            WALDUMP.toString(), "-p", directory.toString(), "-s", START.toString(), "-e", "" + end);
    builder.environment().put("TZ", "UTC");
    Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return output.lines().filter(line -> line.startsWith("rmgr: ")).toList();
  }

  /** Null for what has lists that the load of {@code WaldumpIT} writes. */
  private static @Nullable Body forge(ResourceManager manager, int operation, Random random) {
    byte[] main = new byte[100];
    random.nextBytes(main);
    ByteBuffer fields = ByteBuffer.wrap(main).order(ByteOrder.LITTLE_ENDIAN);
    var body = new Body(manager.id(), operation).main(main);
    switch (manager) {
      case TRANSACTION, STANDBY, LOGICAL_MESSAGE, DATABASE -> {
        return null;
      }
      case XLOG -> {
        switch (operation) {
          case 0x40 -> {
            return null; // ends the segment
          }
          case 0x70 -> name(main, 8);
          case 0x90 -> fields.putLong(0, random.nextLong(1L << 50));
          case 0xD0 -> fields.putLong(8, random.nextLong(1L << 50));
          default -> {}
        }
        fields.putInt(20, random.nextInt(4));
      }
      case STORAGE -> fields.putInt(12, random.nextInt(4)).putInt(0, 1662 + random.nextInt(4));
      case TABLESPACE -> name(main, 4);
      case MULTI_XACT -> fields.putInt(8, random.nextInt(8)).putInt(16, random.nextInt(8));
      case HEAP -> fields.putInt(4, (operation & 0x70) == 0x30 ? 20 : fields.getInt(4));
      case HASH -> {
        if (random.nextBoolean()) {
          fields.putDouble(0, random.nextInt(3_000_000) / (random.nextBoolean() ? 1 : 1e10));
        }
      }
      case BTREE -> body.block(0, 0x20, RELATION, 1, Arrays.copyOf(main, 30));
      case GIN -> gin(body, fields, random);
      case GENERIC -> fields.putShort(2, (short) 46).putShort(52, (short) 46);
      default -> {}
    }
    return body;
  }

  private static void name(byte[] main, int at) {
    byte[] name = "a näme".getBytes(StandardCharsets.UTF_8);
    System.arraycopy(name, 0, main, at, name.length);
    main[at + name.length] = 0;
  }

  private static void gin(Body body, ByteBuffer main, Random random) {
    int flags = random.nextInt(4);
    main.putShort(0, (short) flags);
    ByteBuffer data = Body.fields(60);
    if (random.nextInt(3) == 0) {
      byte[] image = Body.all(Body.fields(5).putShort((short) 300).putShort((short) 100));
      image[4] = (byte) (random.nextBoolean() ? 3 : 1);
      body.block(0, 0x10, RELATION, 1, image, new byte[300], new byte[0]);
    } else {
      // Leaf pages' segments; as an entry or a page's item they are as good as anything.
      data.putShort((short) 5).put((byte) 1).put((byte) 1);
      data.put((byte) 2).put((byte) 2).putInt(7).putShort((short) 8).putShort((short) 5).putInt(0);
      data.putShort((short) 0).put((byte) 3).put((byte) 3).putInt(7).putShort((short) 8);
      data.putShort((short) 4).putInt(1).put((byte) 4).put((byte) 4).putShort((short) 2);
      data.putLong(1).putInt(2).put((byte) 200).put((byte) random.nextInt(1, 6));
      data.putInt(3).putShort((short) 3).putShort((short) 0);
      body.block(0, 0x20, RELATION, 1, Body.all(data));
    }
  }
}
