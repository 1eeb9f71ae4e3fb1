package dev.ebb.pageservice.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.pageservice.Pages;
import dev.ebb.pageservice.cache.ChunkCache;
import dev.ebb.pageservice.cache.ObjectCache;
import dev.ebb.pageservice.cache.SharedCache;
import dev.ebb.pageservice.index.IndexNodes.Found;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.InMemoryObjectStore;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class IndexMergeTest {
  private static final BranchId BRANCH = new BranchId("b");

  private final InMemoryObjectStore objects = new InMemoryObjectStore();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private int writers;

  @AfterEach
  void close() {
    threads.close();
  }

  private IndexNodes nodes() {
    return new IndexNodes(
        new ChunkCache(objects, SharedCache.NONE, threads, 8 << 20, new SimpleMeterRegistry()),
        new ObjectCache(8 << 20));
  }

  private PageIndex apply(PageIndex base, List<Cut> cuts, PageTable added, int recentBytes) {
    var out = new IndexObjects(objects, BRANCH, "w" + writers++);
    PageIndex next = new IndexMerge(nodes(), out).apply(base, cuts, added, recentBytes);
    return PageIndex.decode("m", next.encode());
  }

  /** What the index must say: a map of every block of every file that is there. */
  private static final class Oracle {
    private final Map<FileId, SortedMap<Integer, PageLocation>> files = new HashMap<>();
    private final Map<FileId, Integer> lengths = new HashMap<>();
    private final Random random;
    private int incarnation = 1;
    private int packs;

    Oracle(long seed) {
      random = new Random(seed);
    }

    private FileId newFile() {
      return new FileId(Pages.heap(1000 + random.nextInt(40)), incarnation++);
    }

    /** Changes something at random and returns what a capture of it would bring. */
    Step step(int changes) {
      var cuts = new ArrayList<Cut>();
      Map<FileId, SortedMap<Integer, PageLocation>> added = new TreeMap<>();
      var pack = new PackObject("branches/b/packs/p" + packs++ + "-0", Integer.MAX_VALUE);
      int offset = 5;
      for (int i = 0; i < changes; i++) {
        List<FileId> known = new ArrayList<>(lengths.keySet());
        known.sort(null);
        int what = random.nextInt(100);
        if (known.isEmpty() || (what < 8 && known.size() < 60)) {
          FileId file = newFile();
          known.stream()
              .filter(f -> f.key().equals(file.key()))
              .forEach(old -> cut(old, 0, cuts, added));
          lengths.put(file, 0);
          files.put(file, new TreeMap<>());
          known = List.of(file);
        }
        FileId file = known.get(random.nextInt(known.size()));
        int length = lengths.getOrDefault(file, 0);
        if (what > 96) {
          cut(file, random.nextBoolean() ? 0 : random.nextInt(length + 1), cuts, added);
          continue;
        }
        int from = what < 50 ? length : random.nextInt(length + 1);
        int count = 1 + random.nextInt(what < 50 ? 400 : 5);
        for (int block = from; block < from + count; block++) {
          int bytes = 20 + random.nextInt(3000);
          var location = random.nextInt(20) == 0 ? null : new PageLocation(pack, offset, bytes);
          offset += bytes;
          put(files, file, block, location);
          put(added, file, block, location);
        }
        lengths.merge(file, from + count, Math::max);
      }
      var table = new PageTable.Builder();
      added.forEach((file, blocks) -> blocks.forEach((b, l) -> table.add(file, b, l)));
      return new Step(cuts, table.build());
    }

    private static void put(
        Map<FileId, SortedMap<Integer, PageLocation>> into,
        FileId file,
        int block,
        @Nullable PageLocation location) {
      into.computeIfAbsent(file, f -> new TreeMap<>()).put(block, location);
    }

    private void cut(
        FileId file,
        int from,
        List<Cut> cuts,
        Map<FileId, SortedMap<Integer, PageLocation>> added) {
      cuts.add(new Cut(file, from));
      added.getOrDefault(file, new TreeMap<>()).tailMap(from).clear();
      files.getOrDefault(file, new TreeMap<>()).tailMap(from).clear();
      if (from == 0) {
        lengths.remove(file);
        files.remove(file);
        added.remove(file);
      } else {
        lengths.put(file, from);
      }
    }

    long pages() {
      return files.values().stream().mapToLong(Map::size).sum();
    }
  }

  private record Step(List<Cut> cuts, PageTable added) {}

  private void assertAgree(Oracle oracle, PageIndex index) {
    IndexNodes nodes = nodes();
    oracle.files.forEach((file, blocks) -> {
      int length = oracle.lengths.getOrDefault(file, 0);
      for (int block = 0; block < length; block += 128) {
        int count = Math.min(128, length - block);
        Found[] found = nodes.find(index, file, block, count);
        for (int i = 0; i < count; i++) {
          PageLocation expected = blocks.get(block + i);
          assertThat(found[i])
              .as("block %d of %s", block + i, file)
              .isEqualTo(expected == null ? new Found.Zero() : new Found.At(expected));
        }
      }
      assertThat(nodes.find(index, file, length, 1)[0]).isEqualTo(new Found.Missing());
    });
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 500, 4_000, 64 << 10})
  void everyPageIsFoundWhereItWasPutLastAcrossManyMerges(int recentBytes) {
    for (long seed = 1; seed <= 3; seed++) {
      var oracle = new Oracle(seed * 31 + recentBytes);
      PageIndex index = PageIndex.EMPTY;
      for (int commit = 0; commit < 80; commit++) {
        Step step = oracle.step(1 + oracle.random.nextInt(12));
        index = apply(index, step.cuts(), step.added(), recentBytes);
        if (commit % 10 == 9) {
          assertAgree(oracle, index);
        }
      }
      index = apply(index, List.of(), PageTable.EMPTY, 0);
      assertAgree(oracle, index);
      assertThat(index.root() == null ? 0 : index.root().pages())
          .as("what is gone has left the tree")
          .isEqualTo(oracle.pages());
    }
  }

  @Test
  void emptyTreeIsLeftWhereEverythingIsGone() {
    var oracle = new Oracle(7);
    Step step = oracle.step(30);
    PageIndex index = apply(PageIndex.EMPTY, List.of(), step.added(), 0);
    List<Cut> all = oracle.files.keySet().stream().map(file -> new Cut(file, 0)).toList();

    PageIndex empty = apply(index, all, PageTable.EMPTY, 0);

    assertThat(empty).isEqualTo(new PageIndex(empty.recent(), List.of(), null));
    assertThat(empty.recent().rows()).isZero();
  }

  @Test
  void damagedOrMissingNodeIsCorruptByTheObjectsName() {
    var oracle = new Oracle(9);
    PageIndex index = apply(PageIndex.EMPTY, List.of(), oracle.step(40).added(), 0);
    FileId file = oracle.files.keySet().iterator().next();
    ObjectStore.Listed object = objects.list("branches/b/index/").getFirst();
    byte[] whole = objects.get(object.key()).orElseThrow().content();
    for (int at = 5; at < whole.length; at += whole.length / 97) {
      byte[] damaged = whole.clone();
      damaged[at] ^= 4;
      objects.put(object.key(), damaged);
      try {
        nodes().find(index, file, 0, 1);
      } catch (EbbException.Corrupt e) {
        assertThat(e).hasMessageContaining(object.key());
      }
    }
    objects.delete(object.key());
    assertThatThrownBy(() -> nodes().find(index, file, 0, 1))
        .isInstanceOf(EbbException.Corrupt.class)
        .hasMessageContaining(object.key());
  }

  @Test
  void damagedFieldOfTheManifestIsCorruptAndNothingElse() {
    var oracle = new Oracle(11);
    Step step = oracle.step(20);
    byte[] encoded = apply(PageIndex.EMPTY, List.of(), step.added(), 2_000).encode();
    var random = new Random(12);
    for (int i = 0; i < 5_000; i++) {
      byte[] damaged = encoded.clone();
      for (int c = random.nextInt(3); c >= 0; c--) {
        damaged[1 + random.nextInt(damaged.length - 1)] = (byte) random.nextInt();
      }
      try {
        assertThat(PageIndex.decode("m", damaged)).isNotNull();
      } catch (EbbException.Corrupt expected) {
        assertThat(expected).hasMessageContaining("m");
      }
    }
  }

  @Test
  void newerFormatsAreNamed() {
    byte[] newer = {9};
    assertThatThrownBy(() -> PageIndex.decode("m", newer))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("format 9");
  }
}
