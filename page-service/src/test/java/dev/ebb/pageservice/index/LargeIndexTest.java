package dev.ebb.pageservice.index;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.pageservice.CountingStore;
import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.Pages;
import dev.ebb.pageservice.cache.ChunkCache;
import dev.ebb.pageservice.cache.ObjectCache;
import dev.ebb.pageservice.cache.SharedCache;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.InMemoryObjectStore;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

/**
 * The index of a database of 100 GB: 13 million blocks in a hundred segments and 30,000 small
 * files. Its pages exist only as places. Prints what it measures.
 */
final class LargeIndexTest {
  private static final int SEGMENTS = 100;
  private static final int SMALL_FILES = 30_000;
  private static final int PAGES_OF_A_PACK = 16_384;
  private static final int PACK_BYTES = 40 << 20;

  private final InMemoryObjectStore objects = new InMemoryObjectStore();
  private final CountingStore store = new CountingStore(objects);
  private final Random random = new Random(4);
  private final List<BlockFile> files = new ArrayList<>();

  private static FileKey segment(int number) {
    return new FileKey(FileKey.Kind.RELATION, 16384, 20000, 0, number);
  }

  /** Builds the index bottom-up, as a capture of all of it does, a pack's pages at a time. */
  private PageIndex build() {
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var nodes =
          new IndexNodes(
              new ChunkCache(
                  objects, SharedCache.NONE, threads, 8 << 20, new SimpleMeterRegistry()),
              new ObjectCache(8 << 20));
      var merge = new IndexMerge(nodes, new IndexObjects(objects, Instance.BRANCH, "load"));
      PageIndex index = PageIndex.EMPTY;
      var table = new PageTable.Builder();
      PackObject pack = new PackObject("none", 1);
      int rows = 0;
      int packs = 0;
      int offset = 5;
      for (BlockFile file : files) {
        var id = new FileId(file.key(), 1);
        for (int block = 0; block < file.blocks(); block++) {
          if (rows % PAGES_OF_A_PACK == 0) {
            pack =
                new PackObject(
                    BranchKeys.pack(Instance.BRANCH, new SnapshotId("load"), packs++), PACK_BYTES);
            offset = 5;
          }
          int length = 1_500 + random.nextInt(1_000);
          table.add(id, block, new PageLocation(pack, offset, length));
          offset += length;
          if (++rows == 1 << 18) {
            index = merge.apply(index, List.of(), table.build(), 0);
            table = new PageTable.Builder();
            rows = 0;
          }
        }
      }
      return merge.apply(index, List.of(), table.build(), 0);
    }
  }

  private String load() {
    for (int i = 0; i < SMALL_FILES; i++) {
      files.add(new BlockFile(new FileKey(FileKey.Kind.RELATION, 16384, 21000 + i, 0, 0), 1, 1));
    }
    for (int i = 0; i < SEGMENTS; i++) {
      files.add(new BlockFile(segment(i), 1, FileKey.BLOCKS_PER_SEGMENT));
    }
    files.sort((a, b) -> a.key().compareTo(b.key()));
    long start = System.nanoTime();
    PageIndex index = build();
    InnerNode root = Objects.requireNonNull(index.root());
    long bytes = objects.list("branches/").stream().mapToLong(o -> o.bytes()).sum();
    System.out.printf(
        "index of %d pages: %d bytes, level %d, built in %d ms%n",
        root.pages(), bytes, root.level(), (System.nanoTime() - start) / 1_000_000);
    var snapshot = new SnapshotId("load");
    Manifest manifest =
        ManifestCodec.decode(
            Instance.manifest(snapshot, 1, List.of(), files.toArray(BlockFile[]::new)));
    String key = BranchKeys.manifest(Instance.BRANCH, snapshot);
    objects.put(key, ManifestCodec.encode(manifest.committed(1, List.of(), "", index.encode())));
    new BranchHeads(objects).create(Instance.head(1, key));
    return key;
  }

  @Test
  void wakeAndCommitOfTenPagesOfHundredGigabytesMoveLessThanOneMegabyteEach() {
    String key = load();
    String head = key;
    long worst = 0;
    long total = 0;
    int commits = 900;
    try (var instance = new Instance(store)) {
      for (int commit = 0; commit < commits; commit++) {
        SnapshotId snapshot = instance.open(1, head);
        for (int page = 0; page < 10; page++) {
          instance.put(
              snapshot,
              segment(random.nextInt(SEGMENTS)),
              random.nextInt(FileKey.BLOCKS_PER_SEGMENT),
              Pages.page(commit, Pages.heap(1), page));
        }
        store.reset();
        head = instance.commit(snapshot, 1, files.toArray(BlockFile[]::new)).manifestKey();
        worst = Math.max(worst, store.bytesWritten());
        total += store.bytesWritten();
      }
    }
    System.out.printf(
        "commit of 10 random pages: %d bytes written on average, %d at most%n",
        total / commits, worst);
    assertThat(worst).isLessThan(1_000_000);
    wake(key, "as it was loaded");
    wake(head, "after many commits");
  }

  private void wake(String key, String how) {
    store.reset();
    try (var cold = new Instance(store)) {
      var file = new FileId(segment(77), 1);
      IndexNodes.Found[] found =
          cold.reader.nodes().find(cold.reader.view(key).index(), file, 5_000, 1);
      assertThat(found[0]).isNotEqualTo(new IndexNodes.Found.Missing());
    }
    System.out.printf(
        "wake, %s: %d bytes in %d reads, manifest included%n",
        how, store.bytesRead(), store.reads());
    assertThat(store.bytesRead()).isLessThan(1_000_000);
    assertThat(store.reads()).isLessThanOrEqualTo(4);
  }
}
