package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.Ancestor;
import dev.ebb.shared.store.ObjectStore;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a capture's snapshot is composed on.
 *
 * @param headKey the head's manifest, which the commit takes the place of
 * @param view the snapshot whose pages are kept; null for none
 */
record CaptureBase(String headKey, @Nullable SnapshotView view) {
  private static final int MAX_RACES = 10;

  /**
   * As it is now. A compaction may have revised the snapshot; {@code Conflict} where there is
   * another one, {@code Fenced} where another generation took over.
   */
  static CaptureBase now(CaptureIdentity identity, BranchHeads heads, SnapshotReader reader) {
    if (!identity.hasHead()) {
      String key = identity.baseKey();
      return new CaptureBase("", key.isEmpty() ? null : reader.view(key));
    }
    for (int race = 1; ; race++) {
      String headKey = head(identity, heads).manifestKey();
      try {
        return new CaptureBase(headKey, identity.baseKey().isEmpty() ? null : reader.view(headKey));
      } catch (EbbException.NotFound e) {
        // revised once more, and collected, in between
        if (race == MAX_RACES) {
          throw e;
        }
      }
    }
  }

  private static BranchHead head(CaptureIdentity identity, BranchHeads heads) {
    BranchHead head =
        heads
            .read(identity.branch())
            .map(BranchHeads.Versioned::head)
            .filter(h -> !h.dropped())
            .orElseThrow(() ->
                new EbbException.Fenced("branch " + identity.branch() + " was dropped: stop"));
    if (!head.generation().equals(identity.generation())) {
      throw new EbbException.Fenced(
          "branch "
              + identity.branch()
              + " is at generation "
              + head.generation()
              + ", not "
              + identity.generation());
    }
    if (!isSameSnapshot(head.manifestKey(), identity.headKey())) {
      throw new EbbException.Conflict(
          "branch "
              + identity.branch()
              + " moved on from snapshot "
              + identity.headKey()
              + " to "
              + head.manifestKey()
              + ": capture again");
    }
    return head;
  }

  /**
   * The earlier snapshots that stay. A template has none: no head would keep them from collection.
   * What a child takes over is listed as it was when the snapshot that it began with was made; its
   * parent has given up some of it since.
   */
  List<Ancestor> history(CaptureIdentity identity, ObjectStore store, long nowMs, long windowMs) {
    if (view == null || !identity.hasHead()) {
      return List.of();
    }
    return History.behind(view, inherited(identity, store, view.manifest()), nowMs, windowMs);
  }

  private static List<Ancestor> inherited(
      CaptureIdentity identity, ObjectStore store, Manifest base) {
    if (base.branch().equals(identity.branch())) {
      return base.history();
    }
    Set<String> there = new HashSet<>();
    base.history().stream()
        .map(Ancestor::manifestKey)
        .map(key -> key.substring(0, key.lastIndexOf('/') + 1))
        .distinct()
        .forEach(prefix -> store.list(prefix).forEach(object -> there.add(object.key())));
    return base.history().stream().filter(a -> there.contains(a.manifestKey())).toList();
  }

  static boolean isSameSnapshot(String manifestKey, String other) {
    return BranchKeys.snapshotOf(manifestKey).equals(BranchKeys.snapshotOf(other));
  }
}
