package dev.ebb.computeservice.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SmallFilesTest {
  @TempDir Path directory;

  private static byte[] relationMap(int mappings) {
    int bytes = 8 + mappings * 8 + (mappings == 62 ? 8 : 4);
    ByteBuffer file = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    file.putInt(0, 0x592717).putInt(4, 1).putInt(8, 1259).putInt(12, 16400);
    var crc = new CRC32C();
    crc.update(file.array(), 0, 8 + mappings * 8);
    file.putInt(8 + mappings * 8, (int) crc.getValue());
    return file.array();
  }

  @Test
  void intactRelationMapsOfOldAndNewVersionsPass() {
    SmallFiles.requireIntact("base/5/pg_filenode.map", relationMap(62));
    SmallFiles.requireIntact("base/5/pg_filenode.map", relationMap(64));
  }

  @Test
  void tornRelationMapIsCorrupt() {
    byte[] torn = relationMap(64);
    torn[9]++;
    assertThatThrownBy(() -> SmallFiles.requireIntact("global/pg_filenode.map", torn))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining("global/pg_filenode.map");
    assertThatThrownBy(() -> SmallFiles.requireIntact("base/5/pg_filenode.map", new byte[3]))
        .isInstanceOf(EbbException.Corrupt.class);
  }

  @Test
  void childrenAreTheNamesInADirectory() throws Exception {
    Files.createDirectory(directory.resolve("1"));
    Files.createDirectory(directory.resolve("5"));
    assertThat(SmallFiles.children(directory)).containsExactlyInAnyOrder("1", "5");
  }
}
