package dev.ebb.pageservice.gc;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.ObjectStore;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Where everything that is in use is reached from. Whatever cannot be read fails the whole: what is
 * not known might be a root.
 *
 * @param heads of branches that are not dropped
 * @param tombstones of those that are
 * @param named the branches that the catalog knows
 * @param templates the manifests of the templates
 */
record Roots(
    List<BranchHead> heads,
    List<BranchHead> tombstones,
    Set<BranchId> named,
    List<String> templates) {
  private static final String HEAD = "/head";
  private static final String TEMPLATES = "templates/";

  static Roots read(ObjectStore store) {
    Set<BranchId> named = new TreeSet<>((a, b) -> a.value().compareTo(b.value()));
    for (DatabaseRecord database : new Catalog(store).list()) {
      named.addAll(database.addresses().keySet());
    }
    Set<BranchId> branches = new TreeSet<>((a, b) -> a.value().compareTo(b.value()));
    branches.addAll(named);
    for (ObjectStore.Listed object : store.list(PREFIX)) {
      if (object.key().endsWith(HEAD)) {
        branches.add(branchOf(object.key()));
      }
    }
    var heads = new BranchHeads(store);
    List<BranchHead> alive = new ArrayList<>();
    List<BranchHead> dropped = new ArrayList<>();
    for (BranchId branch : branches) {
      heads
          .read(branch)
          .map(BranchHeads.Versioned::head)
          .ifPresent(head -> (head.dropped() ? dropped : alive).add(head));
    }
    List<String> templates = new ArrayList<>();
    for (ObjectStore.Listed pointer : store.list(TEMPLATES)) {
      store
          .get(pointer.key())
          .map(stored -> new String(stored.content(), StandardCharsets.UTF_8))
          .ifPresent(templates::add);
    }
    return new Roots(alive, dropped, named, templates);
  }

  /** What the keys of all branches begin with. */
  static final String PREFIX = "branches/";

  /** The branch that an object belongs to. */
  static BranchId branchOf(String key) {
    int end = key.indexOf('/', PREFIX.length());
    return new BranchId(key.substring(PREFIX.length(), end < 0 ? key.length() : end));
  }

  static boolean isHead(String key) {
    return key.equals(BranchKeys.head(branchOf(key)));
  }
}
