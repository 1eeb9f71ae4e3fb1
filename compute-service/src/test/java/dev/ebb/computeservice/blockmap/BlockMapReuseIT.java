package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.computeservice.blockmap.FileStatus.Phase;
import dev.ebb.computeservice.hydrate.AgentSocket;
import dev.ebb.computeservice.hydrate.HydrationHandler;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.FileKey.Kind;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Several processes make and drop files under the shim, many times more names than the block map
 * has room for, while this one captures without a pause.
 */
@Timeout(200)
final class BlockMapReuseIT {
  private static final int PROCESSES = 4;
  private static final int NAMES_OF_EACH = 5_000;
  private static final int LIVE_OF_EACH = 12;
  private static final int CAPACITY = 64;
  private static final FileKey OLD = new FileKey(Kind.RELATION, 5, 9000, 0, 0);

  private record Page(FileKey file, int incarnation, int block) {}

  private final Map<Page, byte[]> store = new HashMap<>();
  private List<BlockFile> manifest = List.of();
  private int commits;

  @Test
  void placesOfDroppedFilesAreUsedAgainAndNoPageGoesAstray() throws Exception {
    long seed = System.nanoTime();
    TestPostgres postgres = TestPostgres.get();
    Path root = Files.createTempDirectory(postgres.root, "reuse");
    Path data = Files.createDirectories(root.resolve("data"));
    Files.createDirectories(data.resolve("base/5"));
    Path program = TestPostgres.compile(root, "arena_churn");
    Path arena = root.resolve("arena");
    Path socket = root.resolve("s");
    try (BlockMap map = BlockMap.create(arena, 1, 2, List.of(new BlockFile(OLD, 1, 3)), CAPACITY);
        AgentSocket _ = AgentSocket.open(socket, null, nothingToFetch())) {
      LocalFiles files = new LocalFiles(map, data, null);
      List<Process> processes = new ArrayList<>();
      for (int i = 0; i < PROCESSES; i++) {
        processes.add(
            postgres.startShimmed(
                data,
                arena,
                socket,
                Map.of(),
                List.of(
                    program.toString(),
                    "base/5",
                    Integer.toString(i),
                    Integer.toString(PROCESSES),
                    Integer.toString(NAMES_OF_EACH),
                    Integer.toString(LIVE_OF_EACH),
                    Long.toString(seed + i))));
      }
      for (int n = 1; processes.stream().anyMatch(Process::isAlive); n++) {
        capture(map, files, n % 5 != 0);
      }
      for (Process process : processes) {
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(said).as("seed %d", seed).isEqualTo("made " + NAMES_OF_EACH + "\n");
      }
      capture(map, files, true);
      assertManifestIsWhatLiesOnTheDisk(data);
      assertThat(map.statistics().errors()).isZero();
      assertThat(map.statistics().adopted()).isZero();
      assertThat(commits).isGreaterThan(10);
    }
  }

  private static HydrationHandler nothingToFetch() {
    return new HydrationHandler() {
      @Override
      public void hydrate(int entry, int incarnation, int firstBlock, int count, int process)
          throws IOException {
        throw new IOException("every file is a new one, and has nothing absent");
      }

      @Override
      public void hint(int entry, int incarnation, int firstBlock, int count) {}

      @Override
      public void waitDurable(long timeoutMs) {}
    };
  }

  private void capture(BlockMap map, LocalFiles files, boolean commit) throws IOException {
    BlockCapture capture = new BlockCapture(files, 20_000);
    Map<Page, byte[]> pages = new HashMap<>();
    List<BlockFile> table =
        capture.run((key, incarnation, block, page) -> {
          byte[] copy = new byte[FileKey.BLOCK_BYTES];
          page.get(0, copy);
          assertThat(ofFile(copy)).as("in a page of %s", key).isIn(0, key.relation());
          pages.put(new Page(key, incarnation, block), copy);
        });
    Set<FileKey> names = new HashSet<>();
    assertThat(table).allMatch(file -> names.add(file.key()));
    if (!commit) {
      capture.abort();
      return;
    }
    store.putAll(pages);
    manifest = table;
    capture.commit();
    commits++;
    for (BlockFile file : table) {
      if (file.key().equals(OLD) || !isStill(map, file)) {
        continue; // dropped since: whoever reads this snapshot replays the drop
      }
      for (int block = 0; block < file.blocks(); block++) {
        if (!store.containsKey(new Page(file.key(), file.incarnation(), block))
            && isStill(map, file)) {
          throw new AssertionError("block " + block + " of " + file + " was never captured");
        }
      }
    }
  }

  private static boolean isStill(BlockMap map, BlockFile file) {
    OptionalInt entry = map.find(file.key());
    if (entry.isEmpty()) {
      return false;
    }
    FileStatus now = map.find(entry.getAsInt());
    return now != null
        && now.key().equals(file.key())
        && now.incarnation() == file.incarnation()
        && now.phase() == Phase.LIVE;
  }

  /** Which file a page says that it belongs to; 0 for a page of zeroes. */
  private static int ofFile(byte[] page) {
    return ByteBuffer.wrap(page).order(java.nio.ByteOrder.LITTLE_ENDIAN).getInt(0);
  }

  private void assertManifestIsWhatLiesOnTheDisk(Path data) throws IOException {
    Map<FileKey, BlockFile> captured = new HashMap<>();
    manifest.forEach(file -> captured.put(file.key(), file));
    captured.remove(OLD);
    Set<FileKey> onDisk = new HashSet<>();
    for (String path : TestPostgres.files(data).keySet()) {
      FileKey key = FileKey.parse(path).orElseThrow();
      onDisk.add(key);
      byte[] content = Files.readAllBytes(data.resolve(path));
      BlockFile file = captured.get(key);
      assertThat(file).as(path).isNotNull();
      if (file != null) {
        assertThat(file.blocks()).as(path).isEqualTo(content.length / FileKey.BLOCK_BYTES);
        for (int block = 0; block < file.blocks(); block++) {
          int at = block * FileKey.BLOCK_BYTES;
          assertThat(store.get(new Page(key, file.incarnation(), block)))
              .as("block %d of %s", block, path)
              .isEqualTo(Arrays.copyOfRange(content, at, at + FileKey.BLOCK_BYTES));
        }
      }
    }
    assertThat(captured.keySet()).isEqualTo(onDisk);
    assertThat(onDisk).hasSizeGreaterThan(PROCESSES);
  }
}
