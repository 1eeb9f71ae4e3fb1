package dev.ebb.pageservice.gc;

import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.model.BranchId;
import java.util.HashMap;
import java.util.Map;

/**
 * From where on branches' logs are needed: a branch may be made of any of its snapshots that are
 * kept and all of the log behind it. For one thread.
 */
public final class LogNeeds {
  /** Of each snapshot seen, by its manifest: where in its branch's log its recovery begins. */
  private final Map<String, LogPoint> points = new HashMap<>();

  /** From where on each branch's log is needed. */
  private final Map<BranchId, Long> from = new HashMap<>();

  /** A record of a branch's log; -1 for unknown. */
  private record LogPoint(BranchId branch, long offset) {}

  /** A snapshot was read. */
  public void seen(SnapshotView view) {
    points.put(view.key(), new LogPoint(view.manifest().branch(), view.manifest().walOffsetHint()));
  }

  /** A branch keeps a snapshot, its own or one that it inherited. */
  public void keeps(BranchId branch, String manifestKey) {
    LogPoint point = points.get(manifestKey);
    // What it inherited lies before its own log; of what is gone nothing is known.
    long own = point != null && point.branch().equals(branch) ? Math.max(0, point.offset()) : 0;
    from.merge(branch, own, Math::min);
  }

  /** The first record of a branch's log that a snapshot that it keeps needs; 0 where none was. */
  public long neededFrom(BranchId branch) {
    return from.getOrDefault(branch, 0L);
  }
}
