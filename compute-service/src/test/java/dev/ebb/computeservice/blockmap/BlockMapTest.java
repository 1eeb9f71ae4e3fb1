package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.blockmap.BlockState.Presence;
import dev.ebb.computeservice.blockmap.FileStatus.Phase;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.FileKey.Kind;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The agent's side of the block map; what the shim would do to a word is done here by hand. */
final class BlockMapTest {

  private static final FileKey HEAP = new FileKey(Kind.RELATION, 5, 16384, 0, 0);
  private static final FileKey MAP_FORK = new FileKey(Kind.RELATION, 5, 16384, 2, 0);
  private static final FileKey XACT = new FileKey(Kind.XACT, 0, 0, 0, 3);
  private static final int BLOCKS = 20;

  @TempDir private Path directory = Path.of("");
  private final List<BlockMap> open = new ArrayList<>();

  @BeforeEach
  void makeADataDirectory() throws IOException {
    Files.createDirectories(directory.resolve("base/5"));
    Files.createDirectories(directory.resolve("pg_xact"));
  }

  @AfterEach
  void close() {
    open.forEach(BlockMap::close);
  }

  private LocalFiles files() throws IOException {
    BlockMap map =
        BlockMap.create(
            directory.resolve("arena"),
            3,
            10,
            List.of(
                new BlockFile(HEAP, 4, BLOCKS),
                new BlockFile(MAP_FORK, 5, 1),
                new BlockFile(XACT, 6, 2)),
            16);
    open.add(map);
    return new LocalFiles(map, directory, null);
  }

  /** A page that tells which block it is, and in which version. */
  private static byte[] page(int block, int version) {
    byte[] page = new byte[8192];
    java.util.Arrays.fill(page, (byte) (block * 7 + version));
    return page;
  }

  private static byte[] readPages(FileKey key, int incarnation, int first, int count) {
    var pages = ByteBuffer.allocate(count * 8192);
    for (int block = first; block < first + count; block++) {
      pages.put(page(block, 0));
    }
    return pages.array();
  }

  /** What the shim does around a write. */
  private void write(BlockMap map, int block, int version) throws IOException {
    int word = map.word(0, block);
    assertThat(map.casWord(0, block, word, begun(word))).isTrue();
    map.noteDirty(0, block);
    Path file = directory.resolve(HEAP.path());
    try (var channel =
        java.nio.channels.FileChannel.open(file, java.nio.file.StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(page(block, version)), block * 8192L);
    }
    int during = map.word(0, block);
    assertThat(map.casWord(0, block, during, during - 0x10)).isTrue();
  }

  private static int begun(int word) {
    return ((word & ~BlockMap.STATE_MASK) | BlockMap.PRESENT | BlockMap.DIRTY)
        + 0x10
        + BlockMap.VERSION_ONE;
  }

  private static List<Integer> captureBlocks(BlockCapture capture) throws IOException {
    List<Integer> blocks = new ArrayList<>();
    capture.run((_, _, block, _) -> blocks.add(block));
    return blocks;
  }

  @Test
  void aNewMapHasEveryFileVirtualAndEveryBlockAbsent() throws IOException {
    BlockMap map = files().map();
    assertThat(map.find(HEAP)).hasValue(0);
    assertThat(map.find(XACT)).hasValue(2);
    assertThat(map.find(new FileKey(Kind.RELATION, 5, 16385, 0, 0))).isEmpty();
    assertThat(map.files())
        .extracting(FileStatus::phase)
        .containsExactly(Phase.VIRTUAL, Phase.VIRTUAL, Phase.VIRTUAL);
    assertThat(map.blockState(0, BLOCKS - 1).presence()).isEqualTo(Presence.ABSENT);
    assertThat(map.blockState(0, BLOCKS).presence()).isEqualTo(Presence.PRESENT);
    assertThat(map.dirtyFiles()).isEmpty();
    assertThat(map.nextIncarnation()).isEqualTo(10);
  }

  @Test
  void filesOutOfOrderOrWithAFutureIncarnationAreRefused() {
    assertThatThrownBy(() ->
            BlockMap.create(
                directory.resolve("a"),
                1,
                10,
                List.of(new BlockFile(XACT, 1, 1), new BlockFile(HEAP, 1, 1)),
                16))
        .hasMessageContaining("not sorted");
    assertThatThrownBy(() ->
            BlockMap.create(directory.resolve("b"), 1, 10, List.of(new BlockFile(HEAP, 10, 1)), 16))
        .hasMessageContaining("not a valid file");
  }

  @Test
  void aFillBringsTheAbsentBlocksOfARangeAndNoOthers() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    assertThat(Files.size(directory.resolve(HEAP.path()))).isEqualTo(BLOCKS * 8192L);
    write(files.map(), 4, 9);
    files.fill(0, 4, 2, 5, BlockMapTest::readPages, 1000);
    byte[] local = Files.readAllBytes(directory.resolve(HEAP.path()));
    assertThat(java.util.Arrays.copyOfRange(local, 3 * 8192, 4 * 8192)).isEqualTo(page(3, 0));
    assertThat(java.util.Arrays.copyOfRange(local, 4 * 8192, 5 * 8192)).isEqualTo(page(4, 9));
    assertThat(files.map().blockState(0, 6).presence()).isEqualTo(Presence.PRESENT);
    assertThat(files.map().blockState(0, 7).presence()).isEqualTo(Presence.ABSENT);
    assertThat(files.map().blockState(0, 6).dirty()).isFalse();
  }

  @Test
  void aFillOfAnotherIncarnationOrOfAFileThatIsNotThereClaimsNothing() throws IOException {
    LocalFiles files = files();
    AtomicInteger asked = new AtomicInteger();
    PageSource source =
        (_, _, _, count) -> {
          asked.incrementAndGet();
          return new byte[count * 8192];
        };
    files.fill(0, 4, 0, 5, source, 1000);
    files.materialise(0);
    files.fill(0, 3, 0, 5, source, 1000);
    assertThat(asked).hasValue(0);
    assertThat(files.map().blockState(0, 0).presence()).isEqualTo(Presence.ABSENT);
  }

  @Test
  void aFailedOrShortFillLeavesTheBlocksAbsent() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    assertThatThrownBy(() -> files.fill(0, 4, 0, 2, (_, _, _, _) -> page(0, 0), 1000))
        .hasMessageContaining("8192 bytes for 2 blocks");
    assertThat(files.map().blockState(0, 0).presence()).isEqualTo(Presence.ABSENT);
    files.fill(0, 4, 0, 2, BlockMapTest::readPages, 1000);
    assertThat(files.map().blockState(0, 0).presence()).isEqualTo(Presence.PRESENT);
  }

  @Test
  void concurrentFillsOfTheSameBlocksFetchEachOnce() throws Exception {
    LocalFiles files = files();
    files.materialise(0);
    AtomicInteger fetched = new AtomicInteger();
    CountDownLatch together = new CountDownLatch(8);
    PageSource source =
        (key, incarnation, first, count) -> {
          fetched.addAndGet(count);
          return readPages(key, incarnation, first, count);
        };
    try (ExecutorService pool = Executors.newFixedThreadPool(8)) {
      List<Future<?>> fills = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        fills.add(
            pool.submit(() -> {
              together.countDown();
              together.await();
              files.fill(0, 4, 0, BLOCKS, source, 10_000);
              assertThat(files.map().isAbsent(0, BLOCKS - 1)).isFalse();
              return true;
            }));
      }
      for (Future<?> fill : fills) {
        fill.get(30, TimeUnit.SECONDS);
      }
    }
    assertThat(fetched).hasValue(BLOCKS);
  }

  @Test
  void aCaptureHandsOverDirtyBlocksOnceAndCommitMakesThemClean() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    write(files.map(), 3, 1);
    write(files.map(), 11, 1);
    BlockCapture capture = new BlockCapture(files, 1000);
    assertThat(captureBlocks(capture)).containsExactly(3, 11);
    assertThat(files.map().blockState(0, 3).capturing()).isTrue();
    assertThat(files.map().beginEvict(0, 4, 3)).as("not before the commit").isFalse();
    capture.commit();
    assertThat(files.map().blockState(0, 3).capturing()).isFalse();
    assertThat(files.map().dirtyFiles()).isEmpty();
    assertThat(captureBlocks(new BlockCapture(files, 1000))).isEmpty();
    assertThat(files.map().beginEvict(0, 4, 3)).isTrue();
  }

  @Test
  void anAbortedCaptureLeavesEverythingDirty() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    write(files.map(), 3, 1);
    BlockCapture capture = new BlockCapture(files, 1000);
    assertThatThrownBy(() ->
            capture.run((_, _, _, _) -> {
              throw new IOException("the store is away");
            }))
        .hasMessage("the store is away");
    capture.abort();
    assertThat(files.map().dirtyFiles()).hasSize(1);
    assertThat(captureBlocks(new BlockCapture(files, 1000))).containsExactly(3);
  }

  @Test
  void aWriteBetweenReadAndCommitKeepsTheBlockDirty() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    write(files.map(), 3, 1);
    BlockCapture capture = new BlockCapture(files, 1000);
    assertThat(captureBlocks(capture)).containsExactly(3);
    write(files.map(), 3, 2);
    capture.commit();
    List<byte[]> pages = new ArrayList<>();
    new BlockCapture(files, 1000)
        .run((_, _, _, page) -> {
          byte[] copy = new byte[8192];
          page.get(0, copy);
          pages.add(copy);
        });
    assertThat(pages).singleElement().isEqualTo(page(3, 2));
  }

  @Test
  void aBlockThatStaysInTheMiddleOfAWriteFailsTheCapture() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    int word = files.map().word(0, 3);
    assertThat(files.map().casWord(0, 3, word, begun(word))).isTrue();
    files.map().noteDirty(0, 3);
    BlockCapture capture = new BlockCapture(files, 50);
    assertThatThrownBy(() -> captureBlocks(capture)).hasMessageContaining("does not settle");
    capture.abort();
    assertThat(files.map().dirtyFiles()).hasSize(1);
  }

  @Test
  void anEvictedBlockIsAbsentAndIsFetchedAgain() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    files.fill(0, 4, 0, 1, BlockMapTest::readPages, 1000);
    int version = files.map().blockState(0, 0).version();
    assertThat(files.map().beginEvict(0, 4, 0)).isTrue();
    files.map().endEvict(0, 0);
    assertThat(files.map().blockState(0, 0).presence()).isEqualTo(Presence.ABSENT);
    assertThat(files.map().blockState(0, 0).version()).isEqualTo(version + 1);
    files.fill(0, 4, 0, 1, BlockMapTest::readPages, 1000);
    assertThat(files.map().blockState(0, 0).presence()).isEqualTo(Presence.PRESENT);
    assertThat(files.map().beginEvict(0, 4, BLOCKS)).as("past the end").isFalse();
  }

  @Test
  void anEvictionFreesCleanBlocksThatNobodyUsedAndNoOthers() throws IOException {
    LocalFiles files = files();
    BlockMap map = files.map();
    for (int entry = 0; entry < 3; entry++) {
      files.materialise(entry);
      files.fill(entry, 4 + entry, 0, map.sizeBlocks(entry), BlockMapTest::readPages, 1000);
    }
    write(map, 3, 9);
    int used = map.word(0, 7);
    assertThat(map.casWord(0, 7, used, used | BlockMap.ACCESSED)).isTrue();
    BlockEviction eviction = new BlockEviction(files);
    assertThat(eviction.present()).isEqualTo(new BlockEviction.Present((BLOCKS + 3) * 8192L, 8192));
    // the first eighteen: all of the table but the dirty block and the used one
    assertThat(eviction.evict(18 * 8192L, false)).isEqualTo(18 * 8192L);
    assertThat(map.blockState(0, 3).presence()).isEqualTo(Presence.PRESENT);
    assertThat(map.blockState(0, 7).presence()).isEqualTo(Presence.PRESENT);
    assertThat(map.blockState(0, 6).presence()).isEqualTo(Presence.ABSENT);
    // the second round takes what was used before the first; the commit log never goes
    assertThat(eviction.evict(100 * 8192L, true)).isEqualTo(2 * 8192L);
    assertThat(map.blockState(0, 3).presence()).isEqualTo(Presence.PRESENT);
    assertThat(map.blockState(2, 0).presence()).isEqualTo(Presence.PRESENT);
    byte[] local = Files.readAllBytes(directory.resolve(HEAP.path()));
    assertThat(local).hasSize(BLOCKS * 8192);
    assertThat(java.util.Arrays.copyOfRange(local, 6 * 8192, 7 * 8192)).containsOnly(0);
    assertThat(java.util.Arrays.copyOfRange(local, 3 * 8192, 4 * 8192)).isEqualTo(page(3, 9));
    assertThat(eviction.present()).isEqualTo(new BlockEviction.Present(3 * 8192L, 8192));
  }

  @Test
  void nothingIsFilledBeyondTheEndOfTheFile() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    BlockMap map = files.map();
    // What a filler left behind that lost a race with a truncation.
    files.fill(0, 4, 0, 1, BlockMapTest::readPages, 1000);
    assertThat(map.beginFill(0, 4, BLOCKS)).isFalse();
    assertThat(map.beginFill(0, 4, BLOCKS - 1)).isTrue();
    map.abortFill(0, BLOCKS - 1);
    assertThat(Files.size(directory.resolve(HEAP.path()))).isEqualTo(BLOCKS * 8192L);
  }

  @Test
  void whatIsDamagedStaysAbsentAndItsNeighboursAreThere() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    var damaged = new java.util.BitSet();
    damaged.set(2);
    PageSource source =
        (key, incarnation, first, count) -> {
          throw new DamagedBlocks("bad", first, readPages(key, incarnation, first, count), damaged);
        };
    assertThatThrownBy(() -> files.fill(0, 4, 5, 6, source, 1000))
        .isInstanceOfSatisfying(
            DamagedBlocks.class, e -> assertThat(e.firstDamaged()).isEqualTo(7));
    for (int block = 5; block < 11; block++) {
      assertThat(files.map().blockState(0, block).presence())
          .isEqualTo(block == 7 ? Presence.ABSENT : Presence.PRESENT);
    }
    byte[] local = Files.readAllBytes(directory.resolve(HEAP.path()));
    assertThat(java.util.Arrays.copyOfRange(local, 8 * 8192, 9 * 8192)).isEqualTo(page(8, 0));
    assertThat(java.util.Arrays.copyOfRange(local, 7 * 8192, 8 * 8192)).containsOnly(0);
  }

  @Test
  void theManifestsTableNamesVirtualFilesWithTheirSize() throws IOException {
    LocalFiles files = files();
    files.materialise(0);
    assertThat(new BlockCapture(files, 1000).run((_, _, _, _) -> {}))
        .containsExactly(
            new BlockFile(HEAP, 4, BLOCKS),
            new BlockFile(MAP_FORK, 5, 1),
            new BlockFile(XACT, 6, 2));
  }
}
