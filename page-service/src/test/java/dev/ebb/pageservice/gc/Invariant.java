package dev.ebb.pageservice.gc;

import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.index.NodeRef;
import dev.ebb.pageservice.index.PageTable;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.page.Manifest.Ancestor;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * A store that refuses to break what must hold: everything is there that the head of a branch in
 * the catalog reaches, and the earlier snapshots that it lists and that lie in the window. Looked
 * at where it can break: at each delete, and at each write of a head.
 */
final class Invariant implements ObjectStore {
  private final ObjectStore store;
  private final Instance.Ticks clock;
  private final long windowMs;
  private final IndexWalk walk;
  private final List<AssertionError> violations = new ArrayList<>();
  private final Map<String, Set<String>> reached = new HashMap<>();

  /** The manifests that a branch's head named. Others that it lists it has inherited. */
  private final Map<BranchId, Set<String>> own = new HashMap<>();

  /**
   * @param walk of this store's indexes
   */
  Invariant(ObjectStore store, Instance.Ticks clock, long windowMs, IndexWalk walk) {
    this.store = store;
    this.clock = clock;
    this.windowMs = windowMs;
    this.walk = walk;
  }

  /** Kept, lest somebody takes it for an error of the store. */
  private AssertionError violation(String what) {
    var error = new AssertionError(what);
    violations.add(error);
    return error;
  }

  List<AssertionError> violations() {
    return violations;
  }

  private Set<BranchId> named() {
    return new Catalog(store)
        .list().stream()
            .flatMap(database -> database.addresses().keySet().stream())
            .collect(Collectors.toSet());
  }

  private Optional<BranchHead> head(BranchId branch) {
    return new BranchHeads(store)
        .read(branch)
        .map(BranchHeads.Versioned::head)
        .filter(head -> !head.dropped() && !head.manifestKey().isEmpty());
  }

  private SnapshotView view(String manifestKey) {
    return store
        .get(manifestKey)
        .map(stored -> SnapshotView.decode(manifestKey, stored.content()))
        .orElseThrow(() -> violation("in use and missing: " + manifestKey));
  }

  /** Every key that a snapshot reaches, that of its manifest included. */
  private Set<String> reach(String manifestKey) {
    return reached.computeIfAbsent(
        manifestKey,
        key -> {
          Set<String> keys = new TreeSet<>();
          SnapshotView view = view(key);
          keys.add(key);
          if (!view.manifest().bootPack().isEmpty()) {
            keys.add(view.manifest().bootPack());
          }
          try {
            walk.walk(
                view.index(),
                new IndexWalk.Visitor() {
                  @Override
                  public boolean enter(NodeRef ref, int level) {
                    return keys.add(ref.object()) || level >= 0;
                  }

                  @Override
                  public void pages(PageTable table, List<NodeRef> path) {
                    table.forEach((file, block, location) -> {
                      if (location != null) {
                        keys.add(location.pack().key());
                      }
                    });
                  }
                });
          } catch (EbbException.Corrupt e) {
            throw violation("in use by " + key + ": " + e.getMessage());
          }
          return keys;
        });
  }

  /** The listed snapshots that a cut inside the window may need. */
  private List<String> inWindow(BranchId branch, SnapshotView view) {
    List<Ancestor> all = view.manifest().history();
    List<String> keys = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      long end =
          i + 1 < all.size()
              ? all.get(i + 1).committedEpochMs()
              : view.manifest().committedEpochMs();
      boolean inherited = !own.getOrDefault(branch, Set.of()).contains(all.get(i).manifestKey());
      if (!inherited && end > clock.millis() - windowMs) {
        keys.add(all.get(i).manifestKey());
      }
    }
    return keys;
  }

  private void headWritten(BranchId branch) {
    Optional<BranchHead> head = head(branch);
    if (head.isEmpty() || !named().contains(branch)) {
      return;
    }
    SnapshotView view = view(head.get().manifestKey());
    requireThere(branch, view.key());
    inWindow(branch, view).forEach(earlier -> requireThere(branch, earlier));
    own.computeIfAbsent(branch, b -> new HashSet<>()).add(view.key());
  }

  private void requireThere(BranchId branch, String manifestKey) {
    for (String key : reach(manifestKey)) {
      if (store.getRange(key, 0, 0).isEmpty()) {
        throw violation(
            "the head of " + branch + " refers by " + manifestKey + " to what is missing: " + key);
      }
    }
  }

  private void requireUnused(String key) {
    for (BranchId branch : named()) {
      Optional<BranchHead> head = head(branch);
      if (head.isPresent()) {
        SnapshotView view = view(head.get().manifestKey());
        boolean used = reach(view.key()).contains(key);
        for (String earlier : inWindow(branch, view)) {
          used |= reach(earlier).contains(key);
        }
        if (used) {
          throw violation(branch + " uses what is deleted: " + key);
        }
      }
    }
  }

  /**
   * What no head of a branch in the catalog reaches, and heads of others, unless something else of
   * theirs is reached.
   */
  Set<String> unreached() {
    Set<BranchId> named = named();
    Set<String> rest = new TreeSet<>();
    store.list(Roots.PREFIX).forEach(object -> rest.add(object.key()));
    for (BranchId branch : named) {
      rest.remove(BranchKeys.head(branch));
      head(branch)
          .ifPresent(head -> {
            for (String key : reach(head.manifestKey())) {
              rest.remove(key);
              rest.remove(BranchKeys.head(Roots.branchOf(key)));
            }
          });
    }
    return rest;
  }

  private static boolean isHead(String key) {
    return key.startsWith(Roots.PREFIX) && Roots.isHead(key);
  }

  private void written(String key) {
    if (isHead(key)) {
      headWritten(Roots.branchOf(key));
    }
  }

  @Override
  public Optional<Stored> get(String key) {
    return store.get(key);
  }

  @Override
  public Optional<byte[]> getRange(String key, long offset, int length) {
    return store.getRange(key, offset, length);
  }

  @Override
  public Version put(String key, byte[] content) {
    return store.put(key, content);
  }

  @Override
  public Optional<Version> putIfAbsent(String key, byte[] content) {
    Optional<Version> version = store.putIfAbsent(key, content);
    version.ifPresent(v -> written(key));
    return version;
  }

  @Override
  public Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
    Optional<Version> version = store.putIfMatch(key, content, expected);
    version.ifPresent(v -> written(key));
    return version;
  }

  @Override
  public void delete(String key) {
    if (key.startsWith(Roots.PREFIX) && !isHead(key)) {
      requireUnused(key);
    }
    store.delete(key);
  }

  @Override
  public List<Listed> list(String prefix) {
    return store.list(prefix);
  }

  @Override
  public void close() {
    store.close();
  }
}
