package dev.ebb.computeservice.provision;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;

/** The snapshots that a branch can be cut behind. */
@FunctionalInterface
interface SnapshotHistory {

  /**
   * A snapshot.
   *
   * @param endLsn its U: no cut from it lies before
   * @param committedEpochMs when it became the branch's newest, by the page service's clock
   */
  record Candidate(String manifestKey, Lsn endLsn, long committedEpochMs) {}

  /** Newest first; the head's own is the first. */
  List<Candidate> of(BranchHead head, Manifest newest);

  /**
   * Those that the newest manifest lists and that are inside the window, and that one itself. One
   * that fell out of the window may be collected at any moment, though the collection leaves it
   * alone for some time: so nobody begins to use it in that time.
   */
  static SnapshotHistory unexpired(Clock clock, long windowMs) {
    return (head, newest) -> {
      long begin = clock.millis() - windowMs;
      var candidates = new ArrayList<Candidate>();
      candidates.add(new Candidate(head.manifestKey(), newest.endLsn(), newest.committedEpochMs()));
      for (Manifest.Ancestor earlier : newest.history().reversed()) {
        // Cuts begin from a snapshot until the next one was committed.
        if (candidates.getLast().committedEpochMs() <= begin) {
          break;
        }
        candidates.add(
            new Candidate(earlier.manifestKey(), earlier.endLsn(), earlier.committedEpochMs()));
      }
      return List.copyOf(candidates);
    };
  }
}
