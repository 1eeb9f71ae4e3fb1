package dev.ebb.pageservice.gc;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.store.ObjectStore;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Where everything that is in use is reached from. Whatever cannot be read fails the whole: what is
 * not known might be a root.
 *
 * @param heads of branches that are not dropped
 * @param tombstones of those that are
 * @param named the branches that the catalog knows
 * @param creating those of them that are being made and have no head yet
 * @param templates the manifests of the templates
 */
record Roots(
    List<BranchHead> heads,
    List<BranchHead> tombstones,
    Set<BranchId> named,
    List<Creating> creating,
    List<String> templates) {
  private static final String HEAD = "/head";
  private static final String TEMPLATES = "templates/";

  /** Each one that differs means that a branch was made meanwhile. */
  private static final int MAX_LOOKS = 20;

  /** A branch whose head may come at any moment, and refer to anything of its database. */
  record Creating(BranchId branch, DatabaseId database, long createdEpochMs) {}

  /** What is listed at one time. */
  private record Look(
      Map<BranchId, BranchRecord> named,
      Map<BranchId, DatabaseId> databases,
      Set<BranchId> branches,
      Map<String, String> templates) {

    static Look at(ObjectStore store) {
      Comparator<BranchId> order = Comparator.comparing(BranchId::value);
      Map<BranchId, BranchRecord> named = new TreeMap<>(order);
      Map<BranchId, DatabaseId> databases = new TreeMap<>(order);
      for (DatabaseRecord database : new Catalog(store).list()) {
        for (BranchRecord branch : database.branches().values()) {
          named.put(branch.id(), branch);
          databases.put(branch.id(), database.id());
        }
      }
      Set<BranchId> branches = new java.util.TreeSet<>(order);
      branches.addAll(named.keySet());
      for (ObjectStore.Listed object : store.list(PREFIX)) {
        if (object.key().endsWith(HEAD) && BranchKeys.isOfBranch(object.key())) {
          branches.add(branchOf(object.key()));
        }
      }
      Map<String, String> templates = new TreeMap<>();
      for (ObjectStore.Listed pointer : store.list(TEMPLATES)) {
        store
            .get(pointer.key())
            .map(stored -> new String(stored.content(), StandardCharsets.UTF_8))
            .ifPresent(key -> templates.put(pointer.key(), key));
      }
      return new Look(named, databases, branches, templates);
    }

    /** Whether all of this was there at an earlier look. */
    boolean addsNothingTo(Look before) {
      return before.named().keySet().containsAll(named.keySet())
          && before.branches().containsAll(branches)
          && before.templates().values().containsAll(templates.values());
    }
  }

  /**
   * Looks again until nothing has come since the look before: no list is of one moment, and a
   * branch that was made while the heads were read may refer to what its parent's head, read behind
   * that, refers to no more. One that is made later finds its parent's head no older than it is
   * here.
   */
  static Roots read(ObjectStore store) {
    var heads = new BranchHeads(store);
    Map<BranchId, BranchHead> found = new TreeMap<>(Comparator.comparing(BranchId::value));
    Look before = Look.at(store);
    readHeads(heads, before, found);
    for (int looks = 2; looks <= MAX_LOOKS; looks++) {
      Look now = Look.at(store);
      if (now.addsNothingTo(before)) {
        return of(before, found);
      }
      readHeads(heads, now, found);
      before = now;
    }
    throw new EbbException.Unavailable(
        "branches were made during each of " + MAX_LOOKS + " looks at them");
  }

  private static void readHeads(BranchHeads heads, Look look, Map<BranchId, BranchHead> found) {
    for (BranchId branch : look.branches()) {
      if (!found.containsKey(branch)) {
        heads.read(branch).ifPresent(head -> found.put(branch, head.head()));
      }
    }
  }

  private static Roots of(Look look, Map<BranchId, BranchHead> found) {
    List<Creating> creating =
        look.named().values().stream()
            .filter(branch -> branch.state() == BranchRecord.State.CREATING)
            .filter(branch -> !found.containsKey(branch.id()))
            .map(branch ->
                new Creating(
                    branch.id(),
                    java.util.Objects.requireNonNull(look.databases().get(branch.id())),
                    branch.createdEpochMs()))
            .toList();
    return new Roots(
        found.values().stream().filter(head -> !head.dropped()).toList(),
        found.values().stream().filter(BranchHead::dropped).toList(),
        look.named().keySet(),
        creating,
        List.copyOf(look.templates().values()));
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
