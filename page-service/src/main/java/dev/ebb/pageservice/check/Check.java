package dev.ebb.pageservice.check;

import dev.ebb.pageservice.capture.History;
import dev.ebb.pageservice.gc.GcLimits;
import dev.ebb.pageservice.gc.LogNeeds;
import dev.ebb.pageservice.gc.StoreClock;
import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.index.NodeRef;
import dev.ebb.pageservice.index.PageTable;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.archive.ArchiveKey;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Finding;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Kind;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.page.Manifest.Ancestor;
import dev.ebb.shared.store.ObjectStore;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * One check: first heads, manifests, the nodes of their indexes and archived WAL, then every record
 * of every pack that these name, once each; last what is stored and was not come across. What is
 * damaged is told and gone past. In memory it has the names of objects and nodes. Blocking; for one
 * thread.
 */
final class Check {
  private static final String PREFIX = "branches/";

  private final ObjectStore store;
  private final BranchHeads heads;
  private final IndexWalk walk;
  private final StoreClock clock;
  private final GcLimits limits;
  private final List<BranchId> branches;
  private final Findings findings;
  private final PackCheck packCheck;
  private final ArchiveCheck archiveCheck;
  private final LogNeeds logs = new LogNeeds();

  private final NavigableMap<String, ObjectStore.Listed> stored = new TreeMap<>();
  private final Set<String> reached = new HashSet<>();
  private final Set<NodeRef> nodes = new HashSet<>();

  /** What was not there, by key. */
  private final Map<String, Finding> absent = new LinkedHashMap<>();

  /** Something that refers to others could not be read. */
  private boolean unread;

  /** By the store's clock, at the beginning. */
  private long nowMs;

  /** Packs by key, with the size that the index has. */
  private final Map<String, Long> packs = new LinkedHashMap<>();

  Check(
      ObjectStore store,
      SnapshotReader reader,
      IndexWalk walk,
      PageCodec codec,
      GcLimits limits,
      List<BranchId> branches,
      Findings findings) {
    this.store = store;
    this.heads = new BranchHeads(store);
    this.walk = walk;
    this.clock = new StoreClock(store);
    this.limits = limits;
    this.branches = List.copyOf(branches);
    this.findings = findings;
    this.packCheck = new PackCheck(store, reader, codec, findings, this::absent);
    this.archiveCheck = new ArchiveCheck(store, findings, reached);
  }

  void run() {
    nowMs = clock.nowMs();
    list();
    for (BranchId branch : branches.isEmpty() ? allBranches() : branches) {
      branch(branch);
    }
    if (branches.isEmpty()) {
      templates();
    }
    packs.forEach((key, bytes) -> {
      reached.add(key);
      packCheck.verify(key, bytes);
    });
    absences();
    orphans();
  }

  /** The check itself cannot go on. */
  void failed(RuntimeException error) {
    findings.add(Kind.DAMAGED, PREFIX, 0, "the check was not finished: " + error.getMessage());
  }

  private void list() {
    List<String> prefixes =
        branches.isEmpty() ? List.of(PREFIX) : branches.stream().map(BranchKeys::prefix).toList();
    for (String prefix : prefixes) {
      for (ObjectStore.Listed object : store.list(prefix)) {
        stored.put(object.key(), object);
        findings.total(object.bytes());
      }
    }
  }

  private Set<BranchId> allBranches() {
    Set<BranchId> all = new LinkedHashSet<>();
    var catalog = new Catalog(store);
    for (String name : catalog.names()) {
      tolerant("catalog/databases/" + name, () -> catalog.find(name))
          .ifPresent(database ->
              database.branches().values().stream()
                  .filter(branch -> branch.state() == BranchRecord.State.READY)
                  .forEach(branch -> all.add(branch.id())));
    }
    for (String key : stored.keySet()) {
      if (!BranchKeys.isOfBranch(key)) {
        continue;
      }
      String branch = key.substring(PREFIX.length(), key.indexOf('/', PREFIX.length()));
      if (key.equals(BranchKeys.head(new BranchId(branch)))) {
        all.add(new BranchId(branch));
      }
    }
    return all;
  }

  private void branch(BranchId branch) {
    String key = BranchKeys.head(branch);
    Optional<BranchHead> head = head(branch);
    reached.add(key);
    findings.checked(1, 0, bytesOf(key));
    if (head.isEmpty() && !stored.containsKey(key)) {
      findings.add(Kind.MISSING, key, 0, "the branch has no head");
    }
    boolean dropped = head.isPresent() && head.get().dropped();
    head(branch, head);
    if (!dropped) {
      // Behind the snapshots, which tell how much of it is needed.
      archiveCheck.verify(branch, archive(branch), logs.neededFrom(branch));
    }
  }

  /** Follows a head to its snapshots, and a newer one where it moved on meanwhile. */
  private void head(BranchId branch, Optional<BranchHead> first) {
    Optional<BranchHead> head = first;
    while (head.isPresent() && !head.get().dropped() && !head.get().manifestKey().isEmpty()) {
      String manifest = head.get().manifestKey();
      Map<String, String> missing = snapshots(branch, manifest);
      Optional<BranchHead> now = missing.isEmpty() ? head : head(branch);
      if (now.map(BranchHead::manifestKey).equals(Optional.of(manifest))) {
        missing.forEach(this::missing);
        return;
      }
      head = now; // it has moved on since it was read: what is missing was collected
    }
  }

  private Collection<ObjectStore.Listed> archive(BranchId branch) {
    String prefix = ArchiveKey.prefix(branch);
    return stored.subMap(prefix, prefix + Character.MAX_VALUE).values();
  }

  private Optional<BranchHead> head(BranchId branch) {
    return tolerant(
        BranchKeys.head(branch), () -> heads.read(branch).map(BranchHeads.Versioned::head));
  }

  /** A head's snapshot and the earlier ones; returns the missing, and what refers to each. */
  private Map<String, String> snapshots(BranchId branch, String manifestKey) {
    Map<String, String> missing = new TreeMap<>();
    boolean known = reached.contains(manifestKey); // as something else than this head's
    Optional<SnapshotView> view =
        known
            ? tolerant(manifestKey, () -> read(manifestKey))
            : manifest(manifestKey, BranchKeys.head(branch), missing);
    if (view.isPresent()) {
      logs.keeps(branch, manifestKey);
      for (Ancestor ancestor : History.unexpired(view.get().manifest(), nowMs, limits.keptMs())) {
        // What is inherited may have been given up by the branch that it is inherited from.
        boolean mayBeGone = History.isInherited(ancestor, branch);
        var ignored =
            manifest(ancestor.manifestKey(), manifestKey, mayBeGone ? new TreeMap<>() : missing);
        logs.keeps(branch, ancestor.manifestKey());
      }
    }
    return missing;
  }

  private Optional<SnapshotView> read(String manifestKey) {
    return store.get(manifestKey).map(stored -> SnapshotView.decode(manifestKey, stored.content()));
  }

  private void missing(String key, String referrer) {
    unread = true;
    findings.add(Kind.MISSING, key, 0, referrer + " refers to it");
  }

  private void templates() {
    templateManifests()
        .forEach((pointer, key) -> {
          Map<String, String> missing = new TreeMap<>();
          try {
            var ignored = manifest(key, pointer, missing);
          } catch (EbbException.Invalid e) {
            findings.add(Kind.DAMAGED, pointer, 0, "it names no object: " + e.getMessage());
          }
          missing.forEach(this::missing);
        });
  }

  /** By the objects that name them. */
  private Map<String, String> templateManifests() {
    Map<String, String> manifests = new TreeMap<>();
    for (ObjectStore.Listed pointer : store.list("templates/")) {
      store
          .get(pointer.key())
          .map(content -> new String(content.content(), StandardCharsets.UTF_8))
          .ifPresent(key -> manifests.put(pointer.key(), key));
    }
    return manifests;
  }

  /** Reads a manifest and walks its index, unless that was done before. */
  private Optional<SnapshotView> manifest(
      String key, String referrer, Map<String, String> missing) {
    if (reached.contains(key)) {
      return Optional.empty();
    }
    Optional<ObjectStore.Stored> object = store.get(key);
    if (object.isEmpty()) {
      missing.put(key, referrer);
      return Optional.empty();
    }
    reached.add(key);
    byte[] content = object.get().content();
    Optional<SnapshotView> view =
        tolerant(key, () -> Optional.of(SnapshotView.decode(key, content)));
    findings.checked(1, 0, content.length);
    view.ifPresent(logs::seen);
    view.ifPresent(this::index);
    return view;
  }

  private void index(SnapshotView view) {
    String boot = view.manifest().bootPack();
    if (!boot.isEmpty()) {
      packs.putIfAbsent(boot, PackCheck.UNKNOWN_SIZE);
    }
    walk.walk(
        view.index(),
        new IndexWalk.Visitor() {
          @Override
          public boolean enter(NodeRef ref, int level) {
            if (reached.add(ref.object())) {
              findings.checked(1, 0, bytesOf(ref.object()));
            }
            return nodes.add(ref);
          }

          @Override
          public void pages(PageTable table, List<NodeRef> path) {
            table.dictionary().forEach(pack -> packs.putIfAbsent(pack.key(), pack.bytes()));
            packCheck.compare(table, path.isEmpty() ? view.key() : path.getLast().object());
          }

          @Override
          public void damaged(NodeRef ref, EbbException.Corrupt error) {
            unread = true;
            boolean there = isThere(ref);
            if (there) {
              findings.add(
                  Kind.DAMAGED, ref.object(), ref.length(), String.valueOf(error.getMessage()));
            } else {
              absent(ref.object(), ref.length(), view.key() + " refers to it");
            }
          }
        });
  }

  private boolean isThere(NodeRef ref) {
    return store.list(ref.object()).stream().anyMatch(o -> o.key().equals(ref.object()));
  }

  private long bytesOf(String key) {
    ObjectStore.Listed object = stored.get(key);
    return object == null ? 0 : object.bytes();
  }

  private void absent(String key, long bytes, String problem) {
    absent.putIfAbsent(key, new Finding(Kind.MISSING, key, bytes, problem));
  }

  /**
   * A check takes long where there is much, and branches move on meanwhile: what they let go of is
   * collected. Missing is what something refers to that was found behind its absence.
   */
  private void absences() {
    if (absent.isEmpty()) {
      return;
    }
    nowMs = clock.nowMs();
    Set<String> referred = new HashSet<>();
    Set<NodeRef> entered = new HashSet<>();
    for (BranchId branch : branches.isEmpty() ? allBranches() : branches) {
      for (String manifest : manifestsOf(branch)) {
        quietly(() -> read(manifest)).ifPresent(view -> refersTo(view, referred, entered));
      }
    }
    if (branches.isEmpty()) {
      for (String manifest : templateManifests().values()) {
        quietly(() -> read(manifest)).ifPresent(view -> refersTo(view, referred, entered));
      }
    }
    absent.forEach((key, finding) -> {
      if (referred.contains(key)) {
        findings.add(finding.kind(), key, finding.bytes(), finding.problem());
      }
    });
  }

  /** Of a branch's head and history, as they are now. */
  private List<String> manifestsOf(BranchId branch) {
    String last = "";
    while (true) {
      String head =
          quietly(() -> heads.read(branch))
              .map(BranchHeads.Versioned::head)
              .filter(h -> !h.dropped())
              .map(BranchHead::manifestKey)
              .orElse("");
      Optional<SnapshotView> view = head.isEmpty() ? Optional.empty() : quietly(() -> read(head));
      if (view.isPresent() || head.equals(last)) {
        List<String> keys = new ArrayList<>();
        view.ifPresent(v -> {
          keys.add(head);
          History.unexpired(v.manifest(), nowMs, limits.keptMs())
              .forEach(ancestor -> keys.add(ancestor.manifestKey()));
        });
        return keys;
      }
      last = head; // it may have moved on since it was read
    }
  }

  private void refersTo(SnapshotView view, Set<String> referred, Set<NodeRef> entered) {
    referred.add(view.manifest().bootPack());
    walk.walk(
        view.index(),
        new IndexWalk.Visitor() {
          @Override
          public boolean enter(NodeRef ref, int level) {
            referred.add(ref.object());
            return entered.add(ref);
          }

          @Override
          public void pages(PageTable table, List<NodeRef> path) {
            table.dictionary().forEach(pack -> referred.add(pack.key()));
          }

          @Override
          public void damaged(NodeRef ref, EbbException.Corrupt error) {
            // told already, or collected just now
          }
        });
  }

  private static <T> Optional<T> quietly(Supplier<Optional<T>> reading) {
    try {
      return reading.get();
    } catch (EbbException.Corrupt | EbbException.Invalid told) {
      return Optional.empty();
    }
  }

  private void orphans() {
    stored.forEach((key, object) -> {
      if (!reached.contains(key) && object.modifiedEpochMs() <= nowMs - limits.graceMs()) {
        findings.add(Kind.ORPHAN, key, object.bytes(), whyOrphan(key));
      }
    });
  }

  private String whyOrphan(String key) {
    if (!BranchKeys.isOfBranch(key)) {
      return "it is of no branch: it stays";
    }
    return unread
        ? "nothing that can be read refers to it; what is damaged or missing may: keep it"
        : "nothing refers to it: it is going to be collected";
  }

  /** What is damaged is told, and empty; what is of a newer version fails the check. */
  private <T> Optional<T> tolerant(String key, Supplier<Optional<T>> reading) {
    try {
      return reading.get();
    } catch (EbbException.Corrupt e) {
      unread = true;
      findings.add(Kind.DAMAGED, key, bytesOf(key), String.valueOf(e.getMessage()));
      return Optional.empty();
    }
  }
}
