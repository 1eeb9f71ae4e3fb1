package dev.ebb.shared.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseAccess;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest.Ancestor;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.Manifest.BlockRun;
import dev.ebb.shared.page.Manifest.SmallFile;
import dev.ebb.shared.page.Manifest.WalPiece;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

final class ManifestCodecTest {
  private static final FileKey HEAP = FileKey.parse("base/4294967295/4294967290.2").orElseThrow();
  private static final FileKey XACT = FileKey.parse("pg_xact/0000").orElseThrow();

  private static Manifest manifest(
      List<String> directories, List<SmallFile> smallFiles, List<BlockFile> files) {
    return new Manifest(
        new SnapshotId("snapshot1"),
        new BranchId("branch1"),
        new Generation(3),
        180006,
        -5L,
        1 << 20,
        1,
        Lsn.parse("0/16B3748"),
        Lsn.parse("0/16B3780"),
        Lsn.parse("FFFFFFFF/16B3800"),
        true,
        9,
        directories,
        smallFiles,
        files,
        List.of(new WalPiece(Lsn.parse("0/1600000"), new byte[] {1, 2, 3})),
        "branches/b/packs/b-boot",
        List.of(new BlockRun(HEAP, 5, 2), new BlockRun(HEAP, 1, 1)),
        List.of(
            new RoleState("app", new Secret("SCRAM-SHA-256$x"), true, false, false, -1, 1),
            new RoleState("nobody", null, false, true, true, 10, Long.MAX_VALUE)),
        -1,
        1_700_000_000_123L,
        List.of(
            new Ancestor(
                "branches/t/manifests/a.r1",
                new SnapshotId("a"),
                Lsn.parse("0/16B3700"),
                Lsn.parse("0/16B3738"),
                1_600_000_000_000L)),
        new byte[] {1, 2, 3});
  }

  private static Manifest small() {
    return manifest(
        List.of("base", "base/1"),
        List.of(new SmallFile("global/pg_control", new byte[] {8, 0, 9})),
        List.of(new BlockFile(HEAP, 4, 131_072), new BlockFile(XACT, 0, 1)));
  }

  @Test
  void manifestComesBack() {
    Manifest manifest = small();

    assertThat(ManifestCodec.decode(ManifestCodec.encode(manifest)))
        .usingRecursiveComparison()
        .isEqualTo(manifest);
  }

  /** Formats are for ever: what this holds must stay readable. */
  @Test
  void manifestOfFormatTwoIsStillRead() {
    byte[] golden = HexFormat.of().parseHex(GOLDEN);

    assertThat(HexFormat.of().formatHex(ManifestCodec.encode(small()))).isEqualTo(GOLDEN);
    assertThat(ManifestCodec.decode(golden)).usingRecursiveComparison().isEqualTo(small());
  }

  private static final String GOLDEN =
      "4542424d020000011f28b52ffd601f005d0700828d3132806b1a0330b90c3a099a43b446a04c2076"
          + "d21652d2def9b5efbf2520bce0875f0012f89e5c0a44f5623835da949c2d654a01aeddf94a0c7bfb"
          + "62b1e025cc00be6a2b152121e1c4b304b7a83836326e671702bf5d0131e394909fa22001e120c264"
          + "341103a661415339a5d0b53b8fc48eed896f373b678ce2abd604e98baf5203aeddd90f95cc03e0de"
          + "27e21c9b32696f6e9023ee9a98957372d8d077c138af4dc0a507a12a8c4e3b745facdf8cc5ba6d5f"
          + "e1de8e4cf2a1e1a46a92108b8f6467552994150a0d006c134015581037a4a17460146ed6210d5b8f"
          + "116985d151427b866b25ff036802c6770942";

  private static Manifest restricted() {
    Manifest m = small();
    return new Manifest(
        m.snapshot(),
        m.branch(),
        m.generation(),
        m.postgresVersion(),
        m.systemIdentifier(),
        m.walSegmentBytes(),
        m.timeline(),
        m.redoLsn(),
        m.checkpointLsn(),
        m.endLsn(),
        m.clean(),
        m.nextIncarnation(),
        m.directories(),
        m.smallFiles(),
        m.files(),
        m.walPieces(),
        m.bootPack(),
        m.bootBlocks(),
        m.roles(),
        m.walOffsetHint(),
        m.committedEpochMs(),
        m.history(),
        m.pageIndex(),
        List.of(
            new DatabaseAccess("shop", true, 7, List.of("app", "guest")),
            new DatabaseAccess("old", false, -1, List.of())));
  }

  @Test
  void manifestOfFormatThreeIsStillRead() {
    byte[] golden = HexFormat.of().parseHex(GOLDEN_3);

    assertThat(HexFormat.of().formatHex(ManifestCodec.encode(restricted()))).isEqualTo(GOLDEN_3);
    assertThat(ManifestCodec.decode(golden)).usingRecursiveComparison().isEqualTo(restricted());
    Manifest committed = restricted().committed(1, List.of(), "", new byte[0]);
    assertThat(committed.restricted()).isEqualTo(restricted().restricted());
  }

  private static final String GOLDEN_3 =
      "4542424d030000013928b52ffd603900e50700828e3432902b8d01286319c7cc3866b2a9f15aaa49"
          + "2448497be66f7fff2d015cb1eb1f3493adf6e49bd978a11636423619f95bca9402be27b2e96cad2e"
          + "2c0081d379d5a75dc9616f632e18fcc44980afda5a51544868f1ecc1352e908f8edb9d8d82dfce98"
          + "98714ac98f81c0b0a02065341be92103e1b0b19c52e8da1f88e2c776c5b79b9d334af1558c82f4c5"
          + "572b03d7ee6c094b4764e05e68e21e3ba0d2dedc224f5c3639564e2ac2a22f83716616c1a727a92a"
          + "8c4f7b7463b05fcd05bb6dbfe1de900e65c4c34d1725212742939d57a550d6280f0002131eb263b6"
          + "b1a0322c8816d2a03b300a37eb9086adc788b4c2e828a13dc3b592ff013401a1e621d3";

  private static List<BlockFile> files(int count) {
    var random = new Random(5);
    var keys = new TreeSet<FileKey>();
    while (keys.size() < count) {
      int relation = 1000 + keys.size() + random.nextInt(3);
      keys.add(new FileKey(FileKey.Kind.RELATION, 1 + keys.size() % 3, relation, 0, 0));
      if (random.nextInt(3) == 0) {
        keys.add(new FileKey(FileKey.Kind.RELATION, 1 + keys.size() % 3, relation, 1, 0));
      }
    }
    var files = new ArrayList<BlockFile>();
    for (FileKey key : keys) {
      files.add(new BlockFile(key, 1, random.nextInt(20)));
    }
    return files;
  }

  @Test
  void freshClusterIsSmallAndQuicklyDecoded() {
    var random = new Random(6);
    var smallFiles = new ArrayList<SmallFile>();
    for (int i = 0; i < 30; i++) {
      var content = new byte[8_000];
      for (int b = 0; b < content.length; b++) {
        content[b] = (byte) ('a' + random.nextInt(4));
      }
      smallFiles.add(new SmallFile("base/" + i + "/pg_filenode.map", content));
    }
    byte[] encoded =
        ManifestCodec.encode(manifest(List.of("base", "global"), smallFiles, files(970)));
    long best = bestMicros(encoded, 300);

    System.out.printf(
        "manifest of 970 files and 240 kB of small ones: %d bytes, decoded in %d us%n",
        encoded.length, best);
    assertThat(encoded.length).isLessThan(100_000);
    assertThat(best).isLessThan(10_000);
  }

  @Test
  void hundredThousandFilesTakeFewBytesEach() {
    byte[] encoded = ManifestCodec.encode(manifest(List.of(), List.of(), files(100_000)));
    long best = bestMicros(encoded, 20);

    System.out.printf(
        "manifest of 100,000 files: %d bytes, decoded in %d us%n", encoded.length, best);
    assertThat(encoded.length).isLessThan(400_000);
    assertThat(best).isLessThan(500_000);
  }

  private static long bestMicros(byte[] encoded, int rounds) {
    long best = Long.MAX_VALUE;
    for (int i = 0; i < rounds; i++) {
      long start = System.nanoTime();
      Manifest manifest = ManifestCodec.decode(encoded);
      best = Math.min(best, (System.nanoTime() - start) / 1_000);
      assertThat(manifest.files()).isNotEmpty();
    }
    return best;
  }

  @Test
  void truncatedOrChangedBytesAreCorrupt() {
    byte[] encoded = ManifestCodec.encode(small());
    for (int length = 0; length < encoded.length; length++) {
      byte[] cut = Arrays.copyOf(encoded, length);
      assertThatThrownBy(() -> ManifestCodec.decode(cut)).isInstanceOf(EbbException.Corrupt.class);
    }
    for (int bit = 0; bit < encoded.length * 8; bit++) {
      byte[] flipped = encoded.clone();
      flipped[bit / 8] ^= (byte) (1 << (bit % 8));
      assertThatThrownBy(() -> ManifestCodec.decode(flipped))
          .isInstanceOf(EbbException.Corrupt.class);
    }
    byte[] longer = Arrays.copyOf(encoded, encoded.length + 1);
    assertThatThrownBy(() -> ManifestCodec.decode(longer)).isInstanceOf(EbbException.Corrupt.class);
  }

  /** With a checksum that is right over a body that is not: what only a forger makes. */
  @Test
  void forgedBodyIsCorruptOrAnotherManifestAndNeverAnythingElse() {
    byte[] body = ManifestBody.write(small()).toBytes();
    var random = new Random(7);
    for (int i = 0; i < 5_000; i++) {
      byte[] forged = body.clone();
      for (int c = random.nextInt(5); c >= 0; c--) {
        forged[random.nextInt(forged.length)] = (byte) random.nextInt();
      }
      byte[] cut = Arrays.copyOf(forged, forged.length - random.nextInt(3));
      try {
        assertThat(ManifestCodec.decode(sealed(cut, cut.length))).isNotNull();
      } catch (EbbException.Corrupt expected) {
        assertThat(expected).hasMessageNotContaining("null");
      }
    }
  }

  @Test
  void forgedLengthsAreCorruptBeforeAnythingIsAllocated() {
    byte[] body = ManifestBody.write(small()).toBytes();
    for (int claimed : new int[] {-1, 0, body.length + 1, 64 << 20, Integer.MAX_VALUE}) {
      assertThatThrownBy(() -> ManifestCodec.decode(sealed(body, claimed)))
          .isInstanceOf(EbbException.Corrupt.class);
    }
    var bomb = new byte[100 << 20]; // a few kB compressed
    assertThatThrownBy(() -> ManifestCodec.decode(sealed(bomb, bomb.length)))
        .isInstanceOf(EbbException.Corrupt.class);
  }

  private static byte[] sealed(byte[] body, int claimedLength) {
    byte[] compressed = Zstd.compress(body, 1);
    ByteBuffer out =
        ByteBuffer.allocate(13 + compressed.length)
            .put("EBBM".getBytes(StandardCharsets.US_ASCII))
            .put((byte) 2)
            .putInt(claimedLength)
            .put(compressed);
    var crc = new CRC32C();
    crc.update(out.array(), 0, out.position());
    return out.putInt((int) crc.getValue()).array();
  }

  @Test
  void otherFormatsAreNamed() {
    for (int version : new int[] {1, 4}) {
      byte[] other = ofVersion(version);
      assertThatThrownBy(() -> ManifestCodec.decode(other))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("format " + version);
    }
  }

  private static byte[] ofVersion(int version) {
    byte[] newer = ManifestCodec.encode(small());
    newer[4] = (byte) version;
    var crc = new CRC32C();
    crc.update(newer, 0, newer.length - 4);
    return ByteBuffer.wrap(newer).putInt(newer.length - 4, (int) crc.getValue()).array();
  }

  @Test
  void pathsThatLeaveTheDataDirectoryAreRefused() {
    for (String path :
        List.of("", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".", "./a", "a\0b")) {
      Manifest directory = manifest(List.of(path), List.of(), List.of());
      assertThatThrownBy(() -> ManifestCodec.encode(directory))
          .isInstanceOf(EbbException.Invalid.class);
      Manifest file = manifest(List.of(), List.of(new SmallFile(path, new byte[0])), List.of());
      assertThatThrownBy(() -> ManifestCodec.encode(file)).isInstanceOf(EbbException.Invalid.class);
    }
  }
}
