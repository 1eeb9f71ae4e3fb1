package dev.ebb.computeservice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TopDirectoryTest {
  @TempDir private Path directory;

  @Test
  void ext4SeesTheMark() throws Exception {
    assumeThat(Files.getFileStore(directory).type()).isEqualTo("ext4");
    assumeThat(Files.isExecutable(Path.of("/usr/bin/lsattr"))).isTrue();
    assertThat(flags()).doesNotContain("T");

    assertThat(TopDirectory.mark(directory)).isTrue();
    assertThat(TopDirectory.mark(directory)).as("again").isTrue();

    assertThat(flags()).contains("T");
    assertThat(Files.createDirectory(directory.resolve("inside"))).isDirectory();
  }

  private String flags() throws IOException {
    Process lsattr = new ProcessBuilder("/usr/bin/lsattr", "-d", directory.toString()).start();
    String line =
        new String(lsattr.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    return line.substring(0, line.indexOf(' '));
  }

  @Test
  void otherFileSystemsAreLeftAsTheyAre() throws Exception {
    Path memory = Path.of("/dev/shm");
    assumeThat(Files.isWritable(memory)).isTrue();
    assumeThat(Files.getFileStore(memory).type()).isEqualTo("tmpfs");
    Path other = Files.createTempDirectory(memory, "ebb-top-directory");
    try {
      // Newer kernels know flags there, but not this one.
      assertThat(TopDirectory.mark(other)).isFalse();
    } finally {
      Files.delete(other);
    }
  }

  @Test
  void directoryThatIsNotThereIsNamed() {
    assertThatThrownBy(() -> TopDirectory.mark(directory.resolve("none")))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("none");
  }
}
