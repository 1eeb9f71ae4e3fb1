package dev.ebb.pageservice.gc;

import dev.ebb.pageservice.capture.History;
import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.index.NodeRef;
import dev.ebb.pageservice.index.PageLocation;
import dev.ebb.pageservice.index.PageTable;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.page.Manifest.Ancestor;
import dev.ebb.shared.store.ObjectStore;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What is reachable, and how much of it is used. Snapshots that cannot be rewritten (histories,
 * templates) are to be seen before heads. In memory it has the names of objects and of the index's
 * nodes, of a 1 TB database some 20 MB. Blocking; for one thread.
 */
final class Survey {
  private final ObjectStore store;
  private final IndexWalk walk;
  private final long nowMs;
  private final long keptMs;
  private final Set<String> reachable = new HashSet<>();

  /** Nodes that a fixed snapshot has: all that is below them is fixed, too. */
  private final Set<NodeRef> fixedNodes = new HashSet<>();

  private final Map<String, Usage> packs = new HashMap<>();
  private final Map<String, Usage> indexes = new HashMap<>();

  /** How much of an object is in use, by heads alone or not. */
  static final class Usage {
    private long bytes;
    private int heads;
    private boolean fixed;
    private @Nullable BranchId lastHead;

    /** In use by this head, and by nothing else: neither another nor what cannot be rewritten. */
    boolean isOnly(BranchId head) {
      return heads == 1 && !fixed && head.equals(lastHead);
    }

    private void used(@Nullable BranchId head, long more) {
      if (head == null) {
        fixed = true;
      } else if (!head.equals(lastHead)) {
        lastHead = head;
        heads++;
      }
      bytes += more;
    }
  }

  /** Manifests that heads list and that have expired. */
  private final Map<BranchId, Set<String>> expired = new HashMap<>();

  private final LogNeeds logs = new LogNeeds();

  /**
   * @param keptMs how far back histories count
   */
  Survey(ObjectStore store, IndexWalk walk, long nowMs, long keptMs) {
    this.store = store;
    this.walk = walk;
    this.nowMs = nowMs;
    this.keptMs = keptMs;
  }

  /** The keys of everything reachable that was seen so far. */
  Set<String> reachable() {
    return reachable;
  }

  Map<String, Usage> packs() {
    return packs;
  }

  Map<String, Usage> indexes() {
    return indexes;
  }

  /** The objects that only this head uses, and less than half of each. */
  Set<String> mostlyDead(Map<String, Usage> objects, BranchId head, Map<String, Long> sizes) {
    Set<String> dead = new HashSet<>();
    objects.forEach((key, usage) -> {
      Long size = sizes.get(key);
      if (size != null && usage.isOnly(head) && usage.bytes < size / 2) {
        dead.add(key);
      }
    });
    return dead;
  }

  /** The manifests that a branch's head lists and that nothing can be made of any more. */
  Set<String> expired(BranchId branch) {
    return expired.getOrDefault(branch, Set.of());
  }

  /** The manifest under a key; {@code Corrupt} where it is missing or damaged. */
  SnapshotView manifest(String key) {
    return find(key).orElseThrow(() -> new EbbException.Corrupt("manifest " + key + " is missing"));
  }

  private Optional<SnapshotView> find(String key) {
    return store.get(key).map(stored -> SnapshotView.decode(key, stored.content()));
  }

  /** Everything that a snapshot reaches, as something that stays as it is. */
  void fixed(String manifestKey) {
    if (!reachable.contains(manifestKey)) {
      add(manifest(manifestKey), null);
    }
  }

  /**
   * The earlier snapshots that a branch's head keeps. Those that it inherited are listed as they
   * were when it was made: another branch may have given them up before, and they may have gone
   * since.
   */
  void history(BranchId branch, SnapshotView head) {
    List<Ancestor> kept = History.unexpired(head.manifest(), nowMs, keptMs);
    List<Ancestor> all = head.manifest().history();
    all.subList(0, all.size() - kept.size())
        .forEach(
            gone -> expired.computeIfAbsent(branch, b -> new HashSet<>()).add(gone.manifestKey()));
    kept.forEach(ancestor -> {
      fixed(ancestor.manifestKey(), History.isInherited(ancestor, branch));
      logs.keeps(branch, ancestor.manifestKey());
    });
  }

  /** The same, with those that have expired, as far as they are still there. */
  void wholeHistory(BranchId branch, SnapshotView head) {
    history(branch, head);
    expired(branch).forEach(key -> fixed(key, true));
  }

  private void fixed(String manifestKey, boolean mayBeGone) {
    if (!mayBeGone) {
      fixed(manifestKey);
    } else if (!reachable.contains(manifestKey)) {
      find(manifestKey).ifPresent(view -> add(view, null));
    }
  }

  /** Everything that a head reaches. */
  void head(BranchHead head, SnapshotView view) {
    add(view, head.branch());
    logs.keeps(head.branch(), view.key());
  }

  /** The first record of a branch's log that a snapshot seen so far needs; 0 where none was. */
  long logNeededFrom(BranchId branch) {
    return logs.neededFrom(branch);
  }

  private void add(SnapshotView view, @Nullable BranchId head) {
    var seen = new HashSet<NodeRef>();
    walk.walk(
        view.index(),
        new IndexWalk.Visitor() {
          @Override
          public boolean enter(NodeRef ref, int level) {
            reachable.add(ref.object());
            if (fixedNodes.contains(ref) || !seen.add(ref)) {
              return false;
            }
            usage(indexes, ref.object()).used(head, ref.length());
            return true;
          }

          @Override
          public void pages(PageTable table, List<NodeRef> path) {
            table.dictionary().forEach(pack -> reachable.add(pack.key()));
            table.forEach((FileId file, int block, @Nullable PageLocation location) -> {
              if (location != null) {
                usage(packs, location.pack().key()).used(head, location.length());
              }
            });
          }
        });
    if (head == null) {
      fixedNodes.addAll(seen);
    }
    logs.seen(view);
    // last: a snapshot counts as seen once all of it was
    String boot = view.manifest().bootPack();
    if (!boot.isEmpty()) {
      reachable.add(boot);
    }
    reachable.add(view.key());
  }

  private static Usage usage(Map<String, Usage> of, String key) {
    return of.computeIfAbsent(key, k -> new Usage());
  }
}
