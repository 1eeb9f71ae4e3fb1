package dev.ebb.pageservice.gc;

import dev.ebb.pageservice.ClockedStore;
import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.Pages;
import dev.ebb.pageservice.cache.SharedCache;
import dev.ebb.shared.bus.PageMessage.CommitCapture;
import dev.ebb.shared.bus.PageMessage.OpenCapture;
import dev.ebb.shared.bus.PageMessage.PutPages;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.BranchTree;
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
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/**
 * One database, and everybody who works on it: page services as they are, and provisioning as
 * {@code BranchProvisioner} does it, step by step. Logs are objects below {@code logs/}.
 */
final class CollectionModel {
  static final long WINDOW_MS = TimeUnit.HOURS.toMillis(3);
  private static final DatabaseId DATABASE = new DatabaseId("db1");
  private static final String NAME = "shop";
  private static final FileKey HEAP = Pages.heap(1000);
  private static final int BLOCKS = 24;
  private static final int ACTORS = 40;
  private static final int AT_ONCE = 5;
  private static final long MINUTE_MS = TimeUnit.MINUTES.toMillis(1);

  /** What happened, to see that a test sees anything. */
  static final class Counts {
    int committed;
    int late;
    int fenced;
    int compacted;
    int forked;
    int buried;
    int deleted;
    int died;
    int refusedRuns;

    void add(Counts other) {
      committed += other.committed;
      late += other.late;
      fenced += other.fenced;
      compacted += other.compacted;
      forked += other.forked;
      buried += other.buried;
      deleted += other.deleted;
      died += other.died;
      refusedRuns += other.refusedRuns;
    }

    @Override
    public String toString() {
      return "committed %d, late %d, fenced %d, compacted %d, forked %d, buried %d, deleted %d,"
              .formatted(committed, late, fenced, compacted, forked, buried, deleted)
          + " died %d, runs refused %d".formatted(died, refusedRuns);
    }
  }

  private final Random random;
  private final Instance.Ticks now = new Instance.Ticks();
  private final Instance.Ticks storeNow = new Instance.Ticks();
  private final List<Instance.Ticks> clocks = new ArrayList<>();
  private final InMemoryObjectStore objects = new InMemoryObjectStore();
  private final Invariant invariant;
  private final Interleaving actors;
  private final Counts counts = new Counts();
  private int names;
  private int commits;
  private long storeAheadMs;

  CollectionModel(long seed) {
    random = new Random(seed);
    actors = new Interleaving(random, 0.002);
    var clocked = new ClockedStore(objects, storeNow);
    invariant =
        new Invariant(clocked, now, WINDOW_MS, instance(clocked, new Instance.Ticks()).walk);
    clocked.beforeWrite(key -> {
      if (key.contains("/manifests/") && key.contains(".r")) {
        counts.compacted++;
      }
    });
  }

  Counts counts() {
    return counts;
  }

  /** Runs what it is given at once: the actor is the only thread. */
  private static final class SameThread extends AbstractExecutorService {
    @Override
    public void execute(Runnable task) {
      task.run();
    }

    @Override
    public void shutdown() {}

    @Override
    public List<Runnable> shutdownNow() {
      return List.of();
    }

    @Override
    public boolean isShutdown() {
      return true;
    }

    @Override
    public boolean isTerminated() {
      return true;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
      return true;
    }
  }

  private static Instance instance(ObjectStore store, Instance.Ticks clock) {
    return new Instance(store, SharedCache.NONE, 64 << 10, clock, WINDOW_MS, new SameThread());
  }

  /** A page service of one actor; its clock is a little off. */
  private Instance service(ObjectStore store) {
    var clock = new Instance.Ticks();
    clock.advanceMs(now.millis() - clock.millis() + (random.nextInt(5) - 2) * MINUTE_MS);
    clocks.add(clock);
    Instance instance = instance(store, clock);
    instance.logs = branch -> store.delete("logs/" + branch);
    return instance;
  }

  void run() {
    begin();
    for (int started = 0; started < ACTORS || actors.running() > 0; ) {
      if (started < ACTORS
          && (actors.running() == 0 || (actors.running() < AT_ONCE && random.nextInt(30) == 0))) {
        spawn(started++);
      }
      if (random.nextInt(60) == 0) {
        leap();
      }
      if (actors.step() && random.nextInt(3) == 0) {
        advanceMs((61 + random.nextInt(10) * random.nextInt(40)) * MINUTE_MS);
        actors.start("collector-of-" + started, invariant, this::collector);
      }
      check();
    }
    counts.died = actors.died();
    end();
  }

  private void check() {
    if (!invariant.violations().isEmpty()) {
      throw new AssertionError(
          invariant.violations().getFirst().getMessage() + "\n" + actors.trace());
    }
  }

  private void advanceMs(long ms) {
    now.advanceMs(ms);
    storeNow.advanceMs(ms);
    clocks.forEach(clock -> clock.advanceMs(ms));
  }

  /** Time goes by while everybody stands still, or the store's clock is set. */
  private void leap() {
    int[] minutes = {1, 1, 5, 5, 15, 25, 40, 61, 61, 190};
    advanceMs(minutes[random.nextInt(minutes.length)] * MINUTE_MS);
    int what = random.nextInt(12);
    if (storeAheadMs != 0 && what < 6) {
      storeNow.advanceMs(-storeAheadMs);
      storeAheadMs = 0;
    } else if (storeAheadMs == 0 && what == 0) {
      int[] ahead = {-150, -3, 3, 90};
      storeAheadMs = ahead[random.nextInt(ahead.length)] * MINUTE_MS;
      storeNow.advanceMs(storeAheadMs);
    }
  }

  private void begin() {
    var main = new BranchId("b0");
    var catalog = new Catalog(objects);
    catalog.create(DatabaseRecord.creating(DATABASE, NAME, "app", now.millis(), main));
    catalog.markReady(NAME, DATABASE);
    new BranchHeads(objects).create(head(main, ""));
    objects.put("logs/b0", new byte[] {1});
    for (int i = 0; i < 8; i++) {
      writer(invariant, main);
      advanceMs(15 * MINUTE_MS);
    }
  }

  private static BranchHead head(BranchId branch, String manifestKey) {
    return new BranchHead(
        1, branch, DATABASE, 77, Generation.NONE, manifestKey, false, Lsn.INVALID, false);
  }

  private void spawn(int number) {
    List<String> branches =
        new Catalog(objects)
            .find(NAME).orElseThrow().branches().keySet().stream().sorted().toList();
    String name = branches.get(random.nextInt(branches.size()));
    String who = "-" + number;
    switch (random.nextInt(12)) {
      case 0, 1, 2, 3 -> {
        BranchId branch = new Catalog(objects).find(NAME).orElseThrow().tree().require(name).id();
        actors.start("writer" + who, invariant, store -> writer(store, branch));
      }
      case 4, 5, 6 -> actors.start("collector" + who, invariant, this::collector);
      case 7 -> actors.start("fork" + who, invariant, store -> fork(store, name, false));
      case 8 -> actors.start("fork" + who, invariant, store -> fork(store, name, true));
      case 9 -> actors.start("restore" + who, invariant, store -> restore(store, name));
      default -> actors.start("drop" + who, invariant, store -> drop(store, name));
    }
  }

  private void collector(ObjectStore store) {
    Instance service = service(store);
    try {
      counts.deleted += service.maintenance.run().collected().deleted();
    } catch (EbbException.Unavailable e) {
      counts.refusedRuns++;
      throw e;
    }
  }

  /** A primary that captures some times. */
  private void writer(ObjectStore store, BranchId branch) {
    Generation generation = new BranchHeads(store).openGeneration(branch).head().generation();
    Instance service = service(store);
    for (int i = 1 + random.nextInt(3); i > 0; i--) {
      try {
        capture(store, service, branch, generation);
      } catch (EbbException.Unavailable | EbbException.Conflict e) {
        String why = String.valueOf(e.getMessage());
        if (why.contains("a collection went by") || why.contains("the capture took")) {
          counts.late++;
        }
      }
    }
  }

  private void capture(
      ObjectStore store, Instance service, BranchId branch, Generation generation) {
    String base = new BranchHeads(store).read(branch).orElseThrow().head().manifestKey();
    SnapshotId snapshot = service.captures.open(new OpenCapture(branch, generation, base));
    int commit = ++commits;
    int count = base.isEmpty() ? BLOCKS : 1 + random.nextInt(6);
    for (int i = 0; i < count; i++) {
      int block = base.isEmpty() ? i : random.nextInt(BLOCKS);
      service.captures.put(
          new PutPages(snapshot, HEAP, 1, block, i == 0, Pages.page(commit, HEAP, block)));
    }
    service.captures.commit(
        new CommitCapture(snapshot, manifest(branch, generation, snapshot, commit), false));
    counts.committed++;
  }

  private static byte[] manifest(
      BranchId branch, Generation generation, SnapshotId snapshot, int commit) {
    Manifest m =
        ManifestCodec.decode(
            Instance.manifest(snapshot, 1, List.of(), new BlockFile(HEAP, 1, BLOCKS)));
    return ManifestCodec.encode(
        new Manifest(
            snapshot,
            branch,
            generation,
            m.postgresVersion(),
            m.systemIdentifier(),
            m.walSegmentBytes(),
            m.timeline(),
            new Lsn(commit * 0x1000L),
            new Lsn(commit * 0x1000L),
            new Lsn(commit * 0x1000L + 1),
            false,
            2,
            m.directories(),
            m.smallFiles(),
            m.files(),
            List.of(),
            "",
            List.of(),
            List.of(),
            -1,
            0,
            List.of(),
            new byte[0]));
  }

  // ---------------------------------------------------------------- as BranchProvisioner does it

  private DatabaseRecord change(ObjectStore store, UnaryOperator<BranchTree> change) {
    return new Catalog(store).changeBranches(NAME, DATABASE, change);
  }

  private BranchRecord find(ObjectStore store, String name) {
    return new Catalog(store).find(NAME).orElseThrow().tree().requireReady(name);
  }

  private void fork(ObjectStore store, String parent, boolean past) {
    create(store, find(store, parent), "n" + ++names, past);
  }

  private BranchId create(ObjectStore store, BranchRecord parent, String name, boolean past) {
    var child = new BranchId("b" + ++names);
    change(store, tree -> tree.add(name, BranchRecord.creating(child, parent.id(), now.millis())));
    try {
      var heads = new BranchHeads(store);
      BranchHead from =
          heads
              .read(parent.id())
              .map(BranchHeads.Versioned::head)
              .filter(head -> !head.dropped())
              .orElseThrow(() -> new EbbException.NotFound("dropped"));
      String base = past ? earlier(store, from.manifestKey()) : from.manifestKey();
      store.put("logs/" + child, new byte[] {1});
      try {
        heads.create(head(child, base));
      } catch (EbbException.Conflict e) {
        counts.buried++;
        throw e;
      }
      change(store, tree -> tree.ready(name, child, Lsn.INVALID));
      counts.forked++;
      return child;
    } catch (EbbException e) {
      boolean gone = new Catalog(store).find(NAME).orElseThrow().tree().nameOf(child).isEmpty();
      if (gone) {
        remove(store, child, false);
      } else {
        drop(store, name, child, true);
      }
      throw e;
    }
  }

  /** One that lies in the window. */
  private String earlier(ObjectStore store, String manifestKey) {
    if (manifestKey.isEmpty()) {
      return manifestKey;
    }
    Instance service = service(store);
    Manifest head = service.reader.view(manifestKey).manifest();
    List<String> keys = new ArrayList<>(List.of(manifestKey));
    List<Ancestor> all = head.history();
    for (int i = 0; i < all.size(); i++) {
      long end = i + 1 < all.size() ? all.get(i + 1).committedEpochMs() : head.committedEpochMs();
      if (end > now.millis() - WINDOW_MS && store.get(all.get(i).manifestKey()).isPresent()) {
        keys.add(all.get(i).manifestKey());
      }
    }
    return keys.get(random.nextInt(keys.size()));
  }

  private void restore(ObjectStore store, String name) {
    BranchRecord old = find(store, name);
    String made = "n" + ++names;
    String kept = "n" + ++names;
    BranchId fresh = create(store, old, made, true);
    change(store, tree -> tree.replace(name, old.id(), made, fresh, kept, false));
  }

  private void drop(ObjectStore store, String name) {
    BranchRecord branch = new Catalog(store).find(NAME).orElseThrow().tree().require(name);
    drop(store, name, branch.id(), random.nextBoolean());
  }

  private void drop(ObjectStore store, String name, BranchId branch, boolean force) {
    DatabaseRecord after = change(store, tree -> tree.dropping(name, branch, force));
    remove(store, branch, !after.tree().childrenOf(branch).isEmpty());
    change(store, tree -> tree.remove(name, branch));
  }

  private void remove(ObjectStore store, BranchId branch, boolean objectsInUse) {
    var heads = new BranchHeads(store);
    if (!heads.drop(branch) && !heads.bury(branch, new DatabaseId("unknown"))) {
      heads.drop(branch);
    }
    store.delete("logs/" + branch);
    if (!objectsInUse) {
      service(store).collector.deleteDropped(branch);
    }
  }

  // ---------------------------------------------------------------- when all is over

  /** What died half-way is dropped, time goes by, and collections take what is left. */
  private void end() {
    storeNow.advanceMs(-storeAheadMs);
    count();
    Map<String, BranchRecord> branches = new Catalog(objects).find(NAME).orElseThrow().branches();
    branches.forEach((name, branch) -> {
      if (branch.state() != BranchRecord.State.READY) {
        drop(invariant, name, branch.id(), true);
      }
    });
    for (int i = 0; i < 4; i++) {
      advanceMs(30 * Instance.GRACE_MS);
      service(invariant).collector.collect();
      check();
    }
    DatabaseRecord database = new Catalog(objects).find(NAME).orElseThrow();
    if (!invariant.unreached().isEmpty()) {
      throw new AssertionError(
          "left for ever: " + invariant.unreached() + " of " + database + "\n" + actors.trace());
    }
    for (ObjectStore.Listed log : objects.list("logs/")) {
      var branch = new BranchId(log.key().substring("logs/".length()));
      if (!database.addresses().containsKey(branch)) {
        throw new AssertionError("left for ever: " + log.key() + "\n" + actors.trace());
      }
    }
  }

  private void count() {
    var heads = new BranchHeads(objects);
    for (ObjectStore.Listed object : objects.list(Roots.PREFIX)) {
      if (object.key().equals(BranchKeys.head(Roots.branchOf(object.key())))) {
        BranchHead head = heads.read(Roots.branchOf(object.key())).orElseThrow().head();
        counts.fenced += head.collectedBefore() > 0 ? 1 : 0;
      }
    }
  }
}
