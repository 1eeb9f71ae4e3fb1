package dev.ebb.pageservice.gc;

import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.archive.ArchiveKey;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.store.ObjectStore;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one run of the collector knows: what was stored when it began, what is reached, and what it
 * must not touch. Blocking; for one thread.
 */
final class CollectionRun {
  private static final Logger log = LoggerFactory.getLogger(CollectionRun.class);

  /** How often a head that is being looked at may move on. */
  private static final int MAX_MOVES = 20;

  private static final String TEMPLATE = "template";

  private final BranchHeads heads;
  private final Survey survey;
  private final Roots roots;
  private final List<ObjectStore.Listed> listed;
  private final long cutoffMs;
  private final GcMeters meters;

  /** Heads as they were seen last, of branches that live. */
  private final Map<BranchId, BranchHead> alive =
      new TreeMap<>(Comparator.comparing(BranchId::value));

  private final Set<DatabaseId> damaged = new HashSet<>();
  private final Set<DatabaseId> untouched = new HashSet<>();
  private final Set<String> templatePrefixes = new HashSet<>();

  /**
   * @param listed what was stored before the roots were read
   * @param cutoffMs what is younger stays
   */
  CollectionRun(
      ObjectStore store,
      IndexWalk walk,
      Roots roots,
      List<ObjectStore.Listed> listed,
      GcLimits limits,
      long storeNowMs,
      GcMeters meters) {
    this.heads = new BranchHeads(store);
    this.survey = new Survey(store, walk, storeNowMs, limits.keptMs());
    this.roots = roots;
    this.listed = listed;
    this.cutoffMs = storeNowMs - limits.graceMs();
    this.meters = meters;
    roots.heads().forEach(head -> alive.put(head.branch(), head));
  }

  Survey survey() {
    return survey;
  }

  /** Heads as they were seen last. */
  List<BranchHead> heads() {
    return List.copyOf(alive.values());
  }

  int damaged() {
    return damaged.size();
  }

  /** Sees everything that is reached. */
  void look() {
    roots.templates().forEach(this::template);
    roots.creating().forEach(this::creating);
    for (BranchHead head : heads()) {
      guarded(head, now -> survey.history(now.branch(), survey.manifest(now.manifestKey())));
    }
    for (BranchHead head : heads()) {
      guarded(head, now -> survey.head(now, survey.manifest(now.manifestKey())));
    }
  }

  /** One that is missing or damaged: what may belong to it stays, and nothing else for its sake. */
  private void template(String manifestKey) {
    try {
      survey.fixed(manifestKey);
    } catch (EbbException.Corrupt | EbbException.Invalid e) {
      meters.damaged();
      log.error("nothing that a template may be made of is collected: {}", e.getMessage());
      int end = manifestKey.indexOf('/', Roots.PREFIX.length());
      boolean known = manifestKey.startsWith(Roots.PREFIX) && end > 0;
      templatePrefixes.add(known ? manifestKey.substring(0, end + 1) : Roots.PREFIX + TEMPLATE);
    }
  }

  /**
   * A branch in the making may come to refer to whatever its parent's head referred to when it
   * began. One that takes longer than a grace gets a tombstone in place of its head.
   */
  private void creating(Roots.Creating creating) {
    if (creating.createdEpochMs() > cutoffMs) {
      untouched.add(creating.database());
    } else if (heads.bury(creating.branch(), creating.database())) {
      log.warn("branch {} was never finished: it has to be dropped", creating.branch());
    } else {
      again(creating.branch()).ifPresent(this::everything);
    }
  }

  /** Reads a head anew; empty where there is none any more, or the branch was dropped. */
  private Optional<BranchHead> again(BranchId branch) {
    Optional<BranchHead> now =
        heads.read(branch).map(BranchHeads.Versioned::head).filter(head -> !head.dropped());
    now.ifPresentOrElse(head -> alive.put(branch, head), () -> alive.remove(branch));
    return now;
  }

  private void everything(BranchHead head) {
    guarded(
        head,
        now -> {
          SnapshotView view = survey.manifest(now.manifestKey());
          survey.history(now.branch(), view);
          survey.head(now, view);
        });
  }

  /** What is missing may have been collected because the head moved on: only else is it damage. */
  private void guarded(BranchHead head, Consumer<BranchHead> seeing) {
    if (head.manifestKey().isEmpty()) {
      return;
    }
    try {
      seeing.accept(head);
    } catch (EbbException.Corrupt e) {
      Optional<BranchHead> now = again(head.branch());
      if (now.isEmpty()) {
        return;
      }
      if (now.get().manifestKey().equals(head.manifestKey())) {
        damaged(head, e);
      } else {
        everything(now.get());
      }
    }
  }

  private void damaged(BranchHead head, EbbException.Corrupt error) {
    untouched.add(head.database());
    if (damaged.add(head.database())) {
      meters.damaged();
      log.error(
          "nothing of the database of branch {} is collected: {}",
          head.branch(),
          error.getMessage());
    }
  }

  /** What is old enough, not reached, and not of something that is to be left alone. */
  List<ObjectStore.Listed> garbage() {
    Set<String> prefixes = untouchedPrefixes();
    return listed.stream()
        .filter(object -> object.modifiedEpochMs() <= cutoffMs)
        .filter(object -> !Roots.isHead(object.key()))
        .filter(object -> !survey.reachable().contains(object.key()))
        .filter(object -> !isNeededLog(object.key()))
        .filter(object -> !prefixes.contains(BranchKeys.prefix(Roots.branchOf(object.key()))))
        .filter(object -> templatePrefixes.stream().noneMatch(object.key()::startsWith))
        .toList();
  }

  /** Archived WAL behind the oldest snapshot that a branch can still be made of. */
  private boolean isNeededLog(String key) {
    return ArchiveKey.parse(key)
        .filter(archived -> alive.containsKey(archived.branch()))
        .filter(archived -> archived.to() > survey.logNeededFrom(archived.branch()))
        .isPresent();
  }

  /** Of a damaged database nobody knows what is in use, of its dropped branches neither. */
  private Set<String> untouchedPrefixes() {
    Set<String> prefixes = new HashSet<>();
    for (List<BranchHead> some : List.of(roots.heads(), roots.tombstones(), heads())) {
      for (BranchHead head : some) {
        if (untouched.contains(head.database())) {
          prefixes.add(BranchKeys.prefix(head.branch()));
        }
      }
    }
    return prefixes;
  }

  /**
   * Comes before garbage is deleted. A commit that was begun long ago may refer to what its own
   * branch wrote, and lists the history that its base had then; where any of that goes, the head is
   * changed first. A head that has moved on meanwhile is looked at again.
   */
  void fence(List<ObjectStore.Listed> garbage) {
    Set<BranchId> branches = new HashSet<>();
    Set<String> keys = new HashSet<>();
    for (ObjectStore.Listed object : garbage) {
      if (ArchiveKey.parse(object.key()).isPresent()) {
        continue; // no commit refers to it
      }
      branches.add(Roots.branchOf(object.key()));
      keys.add(object.key());
    }
    for (BranchHead head : heads()) {
      if (branches.contains(head.branch())
          || !Collections.disjoint(survey.expired(head.branch()), keys)) {
        fence(head);
      }
    }
  }

  private void fence(BranchHead head) {
    Optional<BranchHead> now = Optional.of(head);
    for (int move = 0; move < MAX_MOVES; move++) {
      if (now.isEmpty() || heads.fence(now.get().branch(), now.get().manifestKey(), cutoffMs)) {
        return;
      }
      again(head.branch()).ifPresent(this::everything);
      now = Optional.ofNullable(alive.get(head.branch()));
    }
    throw new EbbException.Unavailable(
        "the head of branch " + head.branch() + " moved on during each of " + MAX_MOVES + " looks");
  }
}
