package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
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

  static boolean isSameSnapshot(String manifestKey, String other) {
    return BranchKeys.snapshotOf(manifestKey).equals(BranchKeys.snapshotOf(other));
  }
}
