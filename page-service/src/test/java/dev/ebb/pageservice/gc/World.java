package dev.ebb.pageservice.gc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.pageservice.ClockedStore;
import dev.ebb.pageservice.FaultyStore;
import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.Pages;
import dev.ebb.pageservice.capture.History;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.archive.ArchivedRecord;
import dev.ebb.shared.archive.LogArchive;
import dev.ebb.shared.bus.PageMessage.CommitCapture;
import dev.ebb.shared.bus.PageMessage.OpenCapture;
import dev.ebb.shared.bus.PageMessage.PutPages;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.Ancestor;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.InMemoryObjectStore;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;

/**
 * A database with branches over a store that can fail, and what every snapshot must read as: a page
 * is known by the number of the commit that wrote it.
 */
public final class World implements AutoCloseable {
  public static final DatabaseId DATABASE = new DatabaseId("db1");
  public static final BranchId MAIN = new BranchId("main1");
  public static final BranchId DEV = new BranchId("dev1");

  /** Recovery from commit N begins at record N times this of its branch's log. */
  public static final long RECORDS_OF_A_COMMIT = 10;

  public final InMemoryObjectStore objects = new InMemoryObjectStore();
  public final Instance.Ticks clock = new Instance.Ticks();
  public final ClockedStore clocked = new ClockedStore(objects, clock);
  public final FaultyStore store = new FaultyStore(clocked);
  public final BranchHeads heads = new BranchHeads(clocked);
  public final Instance instance = new Instance(store, clock);
  private final Random random;
  private int commits;
  private int incarnation = 1;

  /** What a branch holds: by file and block the commit that wrote it. */
  private final Map<BranchId, SortedMap<FileId, int[]>> contents = new HashMap<>();

  /** The same for each snapshot, as it was committed. */
  private final Map<String, SortedMap<FileId, int[]>> snapshots = new HashMap<>();

  public World(long seed) {
    random = new Random(seed);
    new Catalog(clocked)
        .create(
            new DatabaseRecord(
                1,
                DATABASE,
                "shop",
                "app",
                DatabaseRecord.State.CREATING,
                0,
                Map.of("main", BranchRecord.first(MAIN, 0), "dev", BranchRecord.first(DEV, 0))));
    heads.create(head(MAIN, ""));
    contents.put(MAIN, new TreeMap<>());
  }

  /**
   * Two branches with a past behind the window, a capture that was given up, and mostly dead packs.
   */
  public static World grown(long seed) {
    var world = new World(seed);
    world.commitSome(MAIN, 12);
    world.branch(DEV, MAIN);
    world.commitSome(DEV, 4);
    world.commitSome(MAIN, 12);
    Begun lost = world.begin(MAIN);
    world.store.goAway(); // it can delete nothing of what it wrote
    world.instance.captures.abort(lost.snapshot());
    world.store.heal();
    world.clocked.put("branches/main1/packs/lost-0", new byte[] {1});
    world.clock.advanceMs(TimeUnit.DAYS.toMillis(8));
    world.commitSome(MAIN, 2);
    return world;
  }

  static BranchHead head(BranchId branch, String manifestKey) {
    return new BranchHead(
        1, branch, DATABASE, 77, new Generation(1), manifestKey, false, Lsn.INVALID, false);
  }

  /** A branch in the making. */
  void name(String name, BranchId branch) {
    var catalog = new Catalog(clocked);
    catalog.markReady("shop", DATABASE);
    catalog.changeBranches(
        "shop",
        DATABASE,
        tree -> tree.add(name, BranchRecord.creating(branch, MAIN, clock.millis())));
  }

  /** From the catalog. */
  void removeDatabase() {
    var catalog = new Catalog(clocked);
    catalog.markDropping("shop", DATABASE);
    catalog.remove("shop", DATABASE);
  }

  public BranchHead head(BranchId branch) {
    return heads.read(branch).orElseThrow().head();
  }

  /** A branch at the head of another. */
  public void branch(BranchId child, BranchId parent) {
    branch(child, parent, head(parent).manifestKey());
  }

  /** The same, of its newest snapshot, which may have been revised since. */
  void branch(BranchId child, BranchId parent, String manifestKey) {
    heads.create(head(child, manifestKey));
    contents.put(child, copy(contents.getOrDefault(parent, new TreeMap<>())));
  }

  private static SortedMap<FileId, int[]> copy(Map<FileId, int[]> files) {
    SortedMap<FileId, int[]> copy = new TreeMap<FileId, int[]>();
    files.forEach((file, blocks) -> copy.put(file, blocks.clone()));
    return copy;
  }

  static byte[] page(FileId file, int block, int commit) {
    return Pages.page(commit, file.key(), block);
  }

  /** A capture that was begun: its pages are put, nothing is committed. */
  record Begun(BranchId branch, SnapshotId snapshot, SortedMap<FileId, int[]> files) {}

  /** Changes a branch at random. */
  Begun begin(BranchId branch) {
    return begin(branch, instance);
  }

  Begun begin(BranchId branch, Instance with) {
    int commit = ++commits;
    String base = head(branch).manifestKey();
    SnapshotId snapshot = with.captures.open(new OpenCapture(branch, new Generation(1), base));
    var files = copy(contents.getOrDefault(branch, new TreeMap<>()));
    int what = random.nextInt(10);
    if (files.isEmpty() || what == 0) {
      FileKey key = Pages.heap(1000 + random.nextInt(5));
      files.keySet().removeIf(file -> file.key().equals(key));
      files.put(new FileId(key, incarnation++), new int[0]);
    }
    List<FileId> names = new ArrayList<>(files.keySet());
    for (int i = 0; i < 4; i++) {
      FileId file = names.get(random.nextInt(names.size()));
      int[] blocks = files.getOrDefault(file, new int[0]);
      int from = random.nextInt(blocks.length + 1);
      int count = 1 + random.nextInt(blocks.length < 60 ? 30 : 4);
      if (what == 1 && i == 3) {
        files.put(file, Arrays.copyOf(blocks, from));
        continue;
      }
      int[] after = Arrays.copyOf(blocks, Math.max(blocks.length, from + count));
      for (int block = from; block < from + count; block++) {
        after[block] = commit;
        byte[] page = page(file, block, commit);
        with.captures.put(
            new PutPages(snapshot, file.key(), file.incarnation(), block, false, page));
      }
      files.put(file, after);
    }
    return new Begun(branch, snapshot, files);
  }

  void commit(Begun begun) {
    commit(begun, instance);
  }

  /** Lets another page service do it, to which the pages were put. */
  void commit(Begun begun, Instance with) {
    List<BlockFile> files = new ArrayList<>();
    begun.files.forEach(
        (file, blocks) -> files.add(new BlockFile(file.key(), file.incarnation(), blocks.length)));
    Manifest plain =
        ManifestCodec.decode(
            Instance.manifest(begun.snapshot, 1, List.of(), files.toArray(BlockFile[]::new)));
    var manifest =
        new Manifest(
            plain.snapshot(),
            begun.branch,
            plain.generation(),
            plain.postgresVersion(),
            plain.systemIdentifier(),
            plain.walSegmentBytes(),
            plain.timeline(),
            new Lsn(0x1000L + commits),
            new Lsn(0x1000L + commits),
            new Lsn(0x2000L + commits),
            false,
            incarnation,
            plain.directories(),
            plain.smallFiles(),
            plain.files(),
            List.of(),
            "",
            List.of(),
            List.of(),
            commits * RECORDS_OF_A_COMMIT,
            0,
            List.of(),
            new byte[0]);
    with.captures.commit(new CommitCapture(begun.snapshot, ManifestCodec.encode(manifest), false));
    contents.put(begun.branch, begun.files);
    snapshots.put(begun.snapshot.value(), copy(begun.files));
  }

  public void commitSome(BranchId branch, int count) {
    for (int i = 0; i < count; i++) {
      commit(begin(branch));
      clock.advanceMs(60_000);
    }
  }

  /** Archives the records of a branch's log up to one, an object for each commit. */
  public void archive(BranchId branch, long to) {
    var archive = new LogArchive(clocked, branch, "topic-1");
    for (long from = 0; from < to; from += RECORDS_OF_A_COMMIT) {
      archive.store(
          LongStream.range(from, from + RECORDS_OF_A_COMMIT)
              .mapToObj(offset -> new ArchivedRecord(offset, 3, 1, 1, offset, new byte[] {1}))
              .toList());
    }
  }

  /** Every head, and every earlier snapshot that it keeps, reads as it was committed. */
  public void assertEverythingReads() {
    try (var fresh = new Instance(clocked, clock)) {
      for (BranchId branch : contents.keySet()) {
        BranchHead head = head(branch);
        if (head.dropped() || head.manifestKey().isEmpty()) {
          continue;
        }
        SnapshotView view = fresh.reader.view(head.manifestKey());
        assertReads(fresh, view, contents.getOrDefault(branch, new TreeMap<>()));
        for (Ancestor ancestor :
            History.unexpired(view.manifest(), clock.millis(), Instance.WINDOW_MS)) {
          assertReads(
              fresh,
              fresh.reader.view(ancestor.manifestKey()),
              snapshots.getOrDefault(ancestor.snapshot().value(), new TreeMap<>()));
        }
      }
    }
  }

  private static void assertReads(
      Instance instance, SnapshotView view, Map<FileId, int[]> expected) {
    assertThat(view.manifest().files()).hasSize(expected.size());
    expected.forEach((file, blocks) -> {
      for (int from = 0; from < blocks.length; from += 128) {
        int count = Math.min(128, blocks.length - from);
        byte[] read = instance.reader.read(view, file, from, count);
        for (int i = 0; i < count; i++) {
          int at = i * FileKey.BLOCK_BYTES;
          assertThat(Arrays.copyOfRange(read, at, at + FileKey.BLOCK_BYTES))
              .as("block %d of %s in %s", from + i, file, view.key())
              .isEqualTo(page(file, from + i, blocks[from + i]));
        }
      }
    });
  }

  /** What is stored of branches and not reachable, heads aside. */
  Set<String> orphans() {
    var survey =
        new Survey(clocked, instance.walk, clock.millis(), Instance.WINDOW_MS + Instance.GRACE_MS);
    Roots roots = Roots.read(clocked);
    for (BranchHead head : roots.heads()) {
      if (!head.manifestKey().isEmpty()) {
        SnapshotView view = survey.manifest(head.manifestKey());
        survey.history(head.branch(), view);
        survey.head(head, view);
      }
    }
    var orphans = new TreeSet<String>();
    for (ObjectStore.Listed object : objects.list("branches/")) {
      if (!Roots.isHead(object.key()) && !survey.reachable().contains(object.key())) {
        orphans.add(object.key());
      }
    }
    return orphans;
  }

  /** Runs maintenance while the store fails; whether it went through. */
  boolean tryMaintenance() {
    try {
      instance.maintenance.run();
      return true;
    } catch (EbbException.Unavailable expected) {
      assertThat(expected).hasMessageContaining("injected");
      return false;
    }
  }

  @Override
  public void close() {
    instance.close();
  }
}
