package dev.ebb.computeservice.blockmap;

import dev.ebb.computeservice.hydrate.AgentSocket;
import dev.ebb.computeservice.hydrate.HydrationHandler;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A skeleton of a stored cluster, its arena and its agent: what a compute is made of. */
final class TestCompute implements AutoCloseable {

  final Path store;
  final Path data;
  final BlockMap map;
  final LocalFiles files;
  final AtomicInteger fetches = new AtomicInteger();
  final AtomicInteger hints = new AtomicInteger();
  final AtomicInteger durableWaits = new AtomicInteger();
  final List<BlockFile> base;

  /** Null: everything is durable. Otherwise a cancelled commit wait is answered with this. */
  volatile @Nullable IOException durability;

  private final Path arena;
  private final Path socketPath;
  private @Nullable AgentSocket socket;

  private TestCompute(Path store, Path data, Path arena, BlockMap map, List<BlockFile> base)
      throws Exception {
    TestPostgres postgres = TestPostgres.get();
    this.store = store;
    this.data = data;
    this.arena = arena;
    this.map = map;
    this.base = base;
    this.files = new LocalFiles(map, data, postgres.owner());
    this.socketPath = Files.createTempDirectory(postgres.root, "agent").resolve("s");
    Files.setPosixFilePermissions(
        socketPath.resolveSibling("."),
        java.nio.file.attribute.PosixFilePermissions.fromString("rwxr-xr-x"));
    openAgent();
  }

  /** A skeleton without any of the store's block files. */
  static TestCompute of(Path store) throws Exception {
    TestPostgres postgres = TestPostgres.get();
    Path data = postgres.directory("data");
    postgres.copyTree(
        store, data, path -> FileKey.parse(path).isEmpty() && !path.equals("postmaster.pid"));
    List<BlockFile> base = new ArrayList<>();
    for (String path : TestPostgres.files(store).keySet()) {
      FileKey key = FileKey.parse(path).orElse(null);
      if (key != null) {
        int blocks = (int) ((Files.size(store.resolve(path)) + 8191) / 8192);
        base.add(new BlockFile(key, 7, blocks));
      }
    }
    base.sort((a, b) -> a.key().compareTo(b.key()));
    Path arena = Files.createTempDirectory(postgres.root, "arena").resolve("arena");
    BlockMap map = BlockMap.create(arena, 1, 8, base, 4096);
    postgres.own(arena);
    Files.setPosixFilePermissions(
        arena.getParent(), java.nio.file.attribute.PosixFilePermissions.fromString("rwxr-xr-x"));
    return new TestCompute(store, data, arena, map, base);
  }

  void openAgent() throws Exception {
    socket =
        AgentSocket.open(
            socketPath,
            TestPostgres.get().owner(),
            new HydrationHandler() {
              @Override
              public void hydrate(
                  int entry, int incarnation, int firstBlock, int count, int process)
                  throws IOException {
                files.fill(
                    entry, incarnation, firstBlock, count, TestCompute.this::readStore, 10_000);
              }

              @Override
              public void hint(int entry, int incarnation, int firstBlock, int count) {
                hints.incrementAndGet();
              }

              @Override
              public void waitDurable(long timeoutMs) throws IOException {
                durableWaits.incrementAndGet();
                IOException refusal = durability;
                if (refusal != null) {
                  throw refusal;
                }
              }
            });
  }

  void closeAgent() throws IOException {
    AgentSocket open = socket;
    socket = null;
    if (open != null) {
      open.close();
    }
  }

  /** Blocks that are damaged in the store. */
  final Map<FileKey, Integer> damaged = new java.util.concurrent.ConcurrentHashMap<>();

  private byte[] readStore(FileKey key, int incarnation, int firstBlock, int count)
      throws IOException {
    var target = java.nio.ByteBuffer.allocate(count * 8192);
    fetches.incrementAndGet();
    if (incarnation != 7) {
      throw new IOException("incarnation " + incarnation + " is not in the store");
    }
    try (FileChannel channel =
        FileChannel.open(store.resolve(key.path()), StandardOpenOption.READ)) {
      long at = firstBlock * 8192L;
      while (target.hasRemaining() && channel.read(target, at + target.position()) > 0) {
        // until the end of what was asked for
      }
    }
    Integer bad = damaged.get(key);
    if (bad != null && bad >= firstBlock && bad < firstBlock + count) {
      var which = new java.util.BitSet();
      which.set(bad - firstBlock);
      throw new DamagedBlocks(key + " is damaged", firstBlock, target.array(), which);
    }
    return target.array();
  }

  Map<String, String> environment() {
    return Map.of(
        "EBB_ARENA", arena.toString(),
        "EBB_AGENT_SOCKET", socketPath.toString(),
        "EBB_DATADIR", data.toString(),
        "EBB_AGENT_TIMEOUT_MS", "10000",
        "EBB_DURABLE_TIMEOUT_MS", "5000");
  }

  TestServer start(String... settings) throws Exception {
    return TestServer.start(data, environment(), List.of(), List.of(settings));
  }

  /**
   * A whole data directory as a capture describes it: the store's pages under the captured ones.
   */
  Path restore() throws Exception {
    TestPostgres postgres = TestPostgres.get();
    Path restored = postgres.directory("restored");
    postgres.copyTree(data, restored, path -> FileKey.parse(path).isEmpty());
    BlockCapture capture = new BlockCapture(files, 5_000);
    Map<BlockFile, Map<Integer, byte[]>> pages = new java.util.HashMap<>();
    List<BlockFile> table =
        capture.run((key, incarnation, block, page) -> {
          byte[] copy = new byte[8192];
          page.get(0, copy);
          pages
              .computeIfAbsent(new BlockFile(key, incarnation, 0), _ -> new java.util.HashMap<>())
              .put(block, copy);
        });
    for (BlockFile file : table) {
      byte[] content = new byte[file.blocks() * 8192];
      Path stored = store.resolve(file.key().path());
      if (file.incarnation() == 7) {
        byte[] old = Files.readAllBytes(stored);
        System.arraycopy(old, 0, content, 0, Math.min(old.length, content.length));
      }
      pages
          .getOrDefault(new BlockFile(file.key(), file.incarnation(), 0), Map.of())
          .forEach((block, page) -> System.arraycopy(page, 0, content, block * 8192, 8192));
      Path target = restored.resolve(file.key().path());
      Files.write(target, content);
      postgres.own(target);
    }
    capture.commit();
    return restored;
  }

  @Override
  public void close() throws IOException {
    closeAgent();
    map.close();
    Files.delete(arena);
    TestPostgres.deleteTree(data);
  }
}
