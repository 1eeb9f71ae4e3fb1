package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.Ancestor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Which earlier snapshots a new one keeps for point-in-time branches: any 10 minutes or 64 MB of
 * WAL apart in the last hour, any hour or 1 GB apart before that, none that lie outside the window
 * but the newest, from which its beginning is reached. A cut between two replays the WAL from the
 * earlier.
 */
public final class History {
  private static final long RECENT_MS = TimeUnit.HOURS.toMillis(1);
  private static final long RECENT_SPACING_MS = TimeUnit.MINUTES.toMillis(10);
  private static final long RECENT_SPACING_BYTES = 64L << 20;
  private static final long SPACING_MS = TimeUnit.HOURS.toMillis(1);
  private static final long SPACING_BYTES = 1L << 30;

  /** Bounds what a manifest grows by: about 40 bytes each, compressed. */
  static final int MAX_ENTRIES = 400;

  /** An entry that is still listed may be in use this long behind the window. */
  private static final long EXPIRY_GRACE_MS = TimeUnit.HOURS.toMillis(1);

  private History() {}

  /**
   * The history of the snapshot that follows {@code base}.
   *
   * @param before what there is of the base's own
   */
  static List<Ancestor> behind(
      SnapshotView base, List<Ancestor> before, long nowMs, long windowMs) {
    Manifest m = base.manifest();
    var all = new ArrayList<>(before);
    all.add(new Ancestor(base.key(), m.snapshot(), m.redoLsn(), m.endLsn(), m.committedEpochMs()));
    return thin(all, nowMs, windowMs);
  }

  static List<Ancestor> thin(List<Ancestor> all, long nowMs, long windowMs) {
    int first = 0;
    while (first + 1 < all.size() && all.get(first + 1).committedEpochMs() <= nowMs - windowMs) {
      first++;
    }
    List<Ancestor> inside = all.subList(first, all.size());
    for (int factor = 1; ; factor *= 2) {
      List<Ancestor> kept = apart(inside, nowMs, factor);
      if (kept.size() <= MAX_ENTRIES) {
        return List.copyOf(kept);
      }
    }
  }

  /** The first and the last are always kept: the window's base, and what was the head just now. */
  private static List<Ancestor> apart(List<Ancestor> all, long nowMs, int factor) {
    List<Ancestor> kept = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      Ancestor next = all.get(i);
      if (kept.isEmpty() || i == all.size() - 1 || isApart(kept.getLast(), next, nowMs, factor)) {
        kept.add(next);
      }
    }
    return kept;
  }

  private static boolean isApart(Ancestor last, Ancestor next, long nowMs, int factor) {
    boolean recent = next.committedEpochMs() > nowMs - RECENT_MS;
    long ms = (recent ? RECENT_SPACING_MS : SPACING_MS) * factor;
    long bytes = (recent ? RECENT_SPACING_BYTES : SPACING_BYTES) * factor;
    return next.committedEpochMs() - last.committedEpochMs() >= ms
        || next.endLsn().minus(last.endLsn()) >= bytes;
  }

  /** Whether it was another branch's: that one may have given it up. */
  public static boolean isInherited(Ancestor entry, BranchId branch) {
    return !entry.manifestKey().startsWith(BranchKeys.prefix(branch));
  }

  /**
   * The entries of a head's manifest that something may still be made of; of those before the
   * window only the newest.
   */
  public static List<Ancestor> unexpired(Manifest manifest, long nowMs, long windowMs) {
    List<Ancestor> all = manifest.history();
    int first = 0;
    while (first < all.size()
        && endOf(manifest, all, first) <= nowMs - windowMs - EXPIRY_GRACE_MS) {
      first++;
    }
    return all.subList(first, all.size());
  }

  /** When an entry's successor was committed: until then cuts begin from the entry. */
  private static long endOf(Manifest manifest, List<Ancestor> all, int entry) {
    return entry + 1 < all.size()
        ? all.get(entry + 1).committedEpochMs()
        : manifest.committedEpochMs();
  }
}
