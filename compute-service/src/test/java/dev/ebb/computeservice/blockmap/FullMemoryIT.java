package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.FileKey.Kind;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Block maps on a memory file system that is full: an error, and never a SIGBUS. */
@Timeout(120)
final class FullMemoryIT {
  private final TestPostgres postgres;
  private final Path root;
  private final Path memory;
  private final Path data;

  FullMemoryIT() throws Exception {
    postgres = TestPostgres.get();
    root = Files.createTempDirectory(postgres.root, "full");
    memory = Files.createDirectory(root.resolve("shm"));
    data = Files.createDirectory(root.resolve("data"));
    Files.createDirectories(data.resolve("base/5"));
  }

  @BeforeEach
  void mount() throws Exception {
    assumeTrue(
        new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", memory.toString())
                .start()
                .waitFor()
            == 0,
        "mounting a small file system needs root");
  }

  @AfterEach
  void unmount() throws Exception {
    new ProcessBuilder("umount", "-l", memory.toString()).start().waitFor();
  }

  private static List<BlockFile> files(int count) {
    return IntStream.range(0, count)
        .mapToObj(i -> new BlockFile(new FileKey(Kind.RELATION, 5, 1000 + i, 0, 0), 1, 10))
        .toList();
  }

  private void fillUp() throws IOException {
    try (var out = Files.newOutputStream(memory.resolve("ballast"))) {
      byte[] page = new byte[4096];
      while (true) {
        out.write(page);
      }
    } catch (IOException e) {
      assertThat(e).hasMessageContaining("No space left");
    }
  }

  @Test
  void mapThatDoesNotFitIsAnErrorThatSaysSoAndLeavesNothing() throws IOException {
    assertThatThrownBy(() -> BlockMap.create(memory.resolve("arena"), 1, 2, files(20_000), 64))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(memory.toString())
        .hasMessageContaining("No space left");
    assertThat(memory.resolve("arena")).doesNotExist();
  }

  @Test
  void fileThatTheAgentCannotTrackIsAnError() throws IOException {
    try (BlockMap map = BlockMap.create(memory.resolve("arena"), 1, 2, files(10), 64)) {
      fillUp();
      var local = new LocalFiles(map, data, null);
      assertThatThrownBy(() -> local.materialise(3)).hasMessageContaining("No space left");
      assertThat(map.status(3).phase()).isEqualTo(FileStatus.Phase.VIRTUAL);
      Files.delete(memory.resolve("ballast"));
      local.materialise(3);
      assertThat(map.status(3).phase()).isEqualTo(FileStatus.Phase.LIVE);
    }
  }

  @Test
  void fileThatTheShimCannotTrackIsAnErrorInPostgres() throws Exception {
    Path program = TestPostgres.compile(root, "arena_churn");
    Path arena = memory.resolve("arena");
    try (BlockMap map = BlockMap.create(arena, 1, 2, files(10), 1024)) {
      fillUp();
      assertThat(churn(program, arena))
          .startsWith("cannot make: file 16384")
          .contains("No space left");
      Files.delete(memory.resolve("ballast"));
      assertThat(churn(program, arena)).isEqualTo("made 100\n");
      assertThat(map.files()).hasSizeGreaterThan(10);
    }
  }

  private String churn(Path program, Path arena) throws Exception {
    Process process =
        postgres.startShimmed(
            data,
            arena,
            root.resolve("s"),
            Map.of(),
            List.of(program.toString(), "base/5", "0", "1", "100", "12", "1"));
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return said;
  }
}
