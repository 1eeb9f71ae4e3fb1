package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.computeservice.hydrate.AgentSocket;
import dev.ebb.computeservice.hydrate.HydrationHandler;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.FileKey.Kind;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/**
 * Several processes read, write, truncate, extend and recreate one file under the shim, while this
 * one fills, evicts and captures its blocks. The processes check every byte that they read; evicted
 * blocks become holes or are overwritten with garbage, so that a stale read cannot pass.
 */
final class BlockMapStressIT {

  private static final int BLOCKS = 300;
  private static final int SECONDS = 8;
  private static final FileKey FILE = new FileKey(Kind.RELATION, 5, 16384, 0, 0);

  private record Page(int incarnation, int block) {}

  private final Map<Page, byte[]> snapshot = new ConcurrentHashMap<>();
  private final AtomicInteger evictions = new AtomicInteger();
  private final AtomicInteger holes = new AtomicInteger();
  private final AtomicInteger captured = new AtomicInteger();

  @Test
  void noReaderEverSeesAnythingButTheLastWriteOfABlock() throws Exception {
    long seed = System.nanoTime();
    TestPostgres postgres = TestPostgres.get();
    Path root = Files.createTempDirectory(postgres.root, "stress");
    Path data = Files.createDirectory(root.resolve("data"));
    Files.createDirectories(data.resolve("base/5"));
    Path program = TestPostgres.compile(root, "arena_stress");
    Path locks = Files.createFile(root.resolve("locks"));
    Path table = root.resolve("table");
    ByteBuffer sequences = ByteBuffer.allocate(4 * (BLOCKS + 2)).order(ByteOrder.LITTLE_ENDIAN);
    for (int block = 0; block < BLOCKS; block++) {
      sequences.putInt(4 * (block + 1), 7);
      snapshot.put(new Page(1, block), compose(block, 7));
    }
    Files.write(table, sequences.array());
    Path arena = root.resolve("arena");
    try (BlockMap map = BlockMap.create(arena, 1, 2, List.of(new BlockFile(FILE, 1, BLOCKS)), 64)) {
      LocalFiles files = new LocalFiles(map, data, null);
      BlockEviction eviction = new BlockEviction(files);
      Random random = new Random(seed);
      HydrationHandler handler =
          new HydrationHandler() {
            @Override
            public void hydrate(int entry, int incarnation, int firstBlock, int count, int process)
                throws IOException {
              files.fill(
                  entry, incarnation, firstBlock, count, BlockMapStressIT.this::source, 10_000);
            }

            @Override
            public void hint(int entry, int incarnation, int firstBlock, int count) {}

            @Override
            public void waitDurable(long timeoutMs) {}
          };
      Path socket = root.resolve("s");
      try (AgentSocket _ = AgentSocket.open(socket, null, handler);
          ExecutorService agents = Executors.newCachedThreadPool()) {
        List<Process> processes = new ArrayList<>();
        for (String role : List.of("r", "r", "r", "w", "w", "t")) {
          processes.add(
              postgres.startShimmed(
                  data,
                  arena,
                  socket,
                  Map.of("EBB_AGENT_TIMEOUT_MS", "10000", "EBB_TEST_TEAR_US", "50"),
                  List.of(
                      program.toString(),
                      FILE.path(),
                      locks.toString(),
                      table.toString(),
                      Integer.toString(BLOCKS),
                      role,
                      Integer.toString(SECONDS),
                      Long.toString(seed + processes.size()))));
        }
        List<Future<?>> work =
            List.of(
                agents.submit(whileRunning(processes, () -> evict(eviction, map, data, random))),
                agents.submit(whileRunning(processes, () -> prefetch(map, files, handler))),
                agents.submit(whileRunning(processes, () -> capture(files))));
        for (Process process : processes) {
          String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
          assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
          assertThat(said).as("seed %d", seed).startsWith("steps ");

          assertThat(Integer.parseInt(said.substring(6).strip())).isGreaterThan(50);
          assertThat(process.exitValue()).isZero();
        }
        for (Future<?> done : work) {
          done.get(60, TimeUnit.SECONDS);
        }
      }
      assertThat(evictions.get()).isGreaterThan(100);
      assertThat(holes.get()).isGreaterThan(100);
      assertThat(captured.get()).isGreaterThan(100);
      assertThat(map.statistics().errors()).isZero();
      assertThat(map.statistics().absentReads()).isGreaterThan(100);
      assertThat(map.statistics().writerFills()).isPositive();
    }
  }

  private static Callable<?> whileRunning(List<Process> processes, Callable<?> step) {
    return () -> {
      while (processes.stream().anyMatch(Process::isAlive)) {
        step.call();
      }
      return true;
    };
  }

  private byte[] source(FileKey key, int incarnation, int firstBlock, int count)
      throws IOException {
    var target = ByteBuffer.allocate(count * 8192);
    LockSupport.parkNanos(200_000); // time for others to come in between claim and write
    for (int block = firstBlock; block < firstBlock + count; block++) {
      byte[] page = snapshot.get(new Page(incarnation, block));
      if (page == null) {
        throw new IOException(key + " " + incarnation + " has no block " + block);
      }
      target.put(page);
    }
    return target.array();
  }

  private static byte[] compose(int block, int sequence) {
    ByteBuffer page = ByteBuffer.allocate(8192).order(ByteOrder.LITTLE_ENDIAN);
    while (page.hasRemaining()) {
      page.putInt(block + 1).putInt(sequence);
    }
    return page.array();
  }

  private Object evict(BlockEviction eviction, BlockMap map, Path data, Random random)
      throws IOException {
    if (random.nextBoolean()) {
      // Holes, in runs, of what was not used since the last time.
      holes.addAndGet((int) (eviction.evict(BLOCKS / 3 * 8192L, true) / 8192));
      LockSupport.parkNanos(1_000_000);
      return true;
    }
    byte[] garbage = new byte[8192];
    random.nextBytes(garbage);
    int incarnation = map.incarnation(0);
    for (int block = 0; block < BLOCKS; block++) {
      if (random.nextInt(3) == 0 && map.beginEvict(0, incarnation, block)) {
        try (FileChannel channel =
            FileChannel.open(data.resolve(FILE.path()), StandardOpenOption.WRITE)) {
          if (channel.size() >= (block + 1) * 8192L) {
            channel.write(ByteBuffer.wrap(garbage), block * 8192L);
          }
        }
        map.endEvict(0, block);
        evictions.incrementAndGet();
      }
    }
    LockSupport.parkNanos(1_000_000);
    return true;
  }

  private static Object prefetch(BlockMap map, LocalFiles files, HydrationHandler handler)
      throws IOException {
    try {
      files.materialise(0);
      handler.hydrate(0, map.incarnation(0), 0, BLOCKS, 0);
    } catch (NoSuchFileException _) {
      // unlinked meanwhile
    }
    LockSupport.parkNanos(3_000_000);
    return true;
  }

  private Object capture(LocalFiles files) throws IOException {
    BlockCapture capture = new BlockCapture(files, 20_000);
    Map<Page, byte[]> pages = new HashMap<>();
    capture.run((key, incarnation, block, page) -> {
      byte[] copy = new byte[8192];
      page.get(0, copy);
      assertWhole(block, copy);
      pages.put(new Page(incarnation, block), copy);
      captured.incrementAndGet();
    });
    if (captured.get() % 5 == 0) {
      capture.abort();
    } else {
      snapshot.putAll(pages); // the manifest: before anything becomes clean
      capture.commit();
    }
    LockSupport.parkNanos(5_000_000);
    return true;
  }

  /** A captured page is one write's, or zeroes: never a mixture. */
  private static void assertWhole(int block, byte[] page) {
    ByteBuffer view = ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN);
    int number = view.getInt(0);
    int sequence = view.getInt(4);
    assertThat(number).isIn(0, block + 1);
    assertThat(page).isEqualTo(number == 0 ? new byte[8192] : compose(block, sequence));
  }
}
