package dev.ebb.pageservice.gc;

import dev.ebb.pageservice.index.IndexMerge;
import dev.ebb.pageservice.index.IndexObjects;
import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.index.PageIndex;
import dev.ebb.pageservice.index.PageTable;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import java.time.Clock;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rewrites what is left of objects that are mostly dead: packs, by copying their records as they
 * are, and objects of the page index, by writing their nodes again. Only what one head uses and no
 * history does: else nothing would be gained. The result is a revision of the head's snapshot,
 * committed by compare-and-set; a capture or another compaction that is faster wins, and what was
 * written here is garbage. Blocking.
 */
public final class Compactor {
  private static final Logger log = LoggerFactory.getLogger(Compactor.class);

  /** Packs below this share of a full one are put together once there are {@link #MANY}. */
  private static final int SMALL_SHARE = 32;

  private static final int MANY = 32;

  private final ObjectStore store;
  private final BranchHeads heads;
  private final SnapshotReader reader;
  private final IndexWalk walk;
  private final PageCodec codec;
  private final GcLimits limits;
  private final Clock clock;
  private final GcMeters meters;

  public Compactor(
      ObjectStore store,
      SnapshotReader reader,
      IndexWalk walk,
      PageCodec codec,
      GcLimits limits,
      Clock clock,
      GcMeters meters) {
    this.store = store;
    this.heads = new BranchHeads(store);
    this.reader = reader;
    this.walk = walk;
    this.codec = codec;
    this.limits = limits;
    this.clock = clock;
    this.meters = meters;
  }

  /** What is to be rewritten of a head. */
  private record Plan(Set<String> packs, Set<String> indexes) {
    boolean isEmpty() {
      return packs.isEmpty() && indexes.isEmpty();
    }
  }

  /** Compacts every head that gains from it; returns how many were. */
  int compact(Collector.Found found) {
    int revised = 0;
    for (BranchHead head : found.heads()) {
      try {
        Plan plan = plan(head.branch(), found.survey(), found.sizes());
        if (!plan.isEmpty() && rewrite(head, plan)) {
          revised++;
        }
      } catch (EbbException.Corrupt | EbbException.NotFound e) {
        log.warn("branch {} is not compacted: {}", head.branch(), e.getMessage());
      }
    }
    return revised;
  }

  private Plan plan(BranchId head, Survey survey, Map<String, Long> sizes) {
    Set<String> packs = survey.mostlyDead(survey.packs(), head, sizes);
    Set<String> small = new HashSet<>();
    survey
        .packs()
        .forEach((key, usage) -> {
          long size = sizes.getOrDefault(key, Long.MAX_VALUE);
          if (usage.isOnly(head) && size < limits.packBytes() / SMALL_SHARE) {
            small.add(key);
          }
        });
    if (small.size() >= MANY) {
      packs.addAll(small);
    }
    return new Plan(packs, survey.mostlyDead(survey.indexes(), head, sizes));
  }

  /** What was written may have been collected. */
  private static final class Late extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Late() {
      super(null, null, false, false);
    }
  }

  /** A collection since the beginning is enough: the next run compacts again. */
  private void requireInTime(BranchHead before, BranchHead begun, long begunMs) {
    if (clock.millis() - begunMs > limits.graceMs() / 2
        || before.collectedBefore() != begun.collectedBefore()) {
      throw new Late();
    }
  }

  private boolean rewrite(BranchHead surveyed, Plan plan) {
    long begunMs = clock.millis();
    // as it is now: the collection that the plan is of may have changed it itself
    BranchHead head =
        heads
            .read(surveyed.branch())
            .map(BranchHeads.Versioned::head)
            .filter(now -> !now.dropped() && now.manifestKey().equals(surveyed.manifestKey()))
            .orElse(null);
    if (head == null) {
      meters.lostRace();
      return false;
    }
    SnapshotView view = reader.view(head.manifestKey());
    // a name that nobody wrote under before, for all that this one writes
    SnapshotId writer = SnapshotId.random();
    var index = new IndexObjects(store, head.branch(), writer.value());
    var merge = new IndexMerge(reader.nodes(), index);
    // all into the tree first: then every page is found once, in order
    PageIndex whole = merge.apply(view.index(), List.of(), PageTable.EMPTY, 0);
    var copy =
        new RecordCopy(store, reader, codec, merge, limits, head.branch(), writer, plan.packs());
    PageIndex revised = copy.run(walk, whole, plan.indexes());
    Manifest m = view.manifest();
    Manifest manifest =
        m.committed(m.committedEpochMs(), m.history(), m.bootPack(), revised.encode());
    String key = BranchKeys.manifest(head.branch(), m.snapshot(), writer.value());
    var after = new SnapshotView(key, ManifestCodec.encode(manifest), manifest, revised);
    store.put(key, after.encoded());
    try {
      BranchHeads.Guard guard = before -> requireInTime(before, head, begunMs);
      if (!heads.revise(head.branch(), head.manifestKey(), key, guard)) {
        meters.lostRace();
        return false; // the objects are collected when they are old enough
      }
    } catch (Late late) {
      meters.lostRace();
      log.warn("branch {}: compaction took too long, given up", head.branch());
      return false;
    }
    reader.keep(after);
    meters.revised(copy.bytesCopied());
    log.info(
        "branch {}: {} packs and {} objects of the index rewritten, {} bytes of records",
        head.branch(),
        plan.packs().size(),
        plan.indexes().size(),
        copy.bytesCopied());
    return true;
  }
}
