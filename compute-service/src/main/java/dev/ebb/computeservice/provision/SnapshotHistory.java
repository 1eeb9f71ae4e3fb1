package dev.ebb.computeservice.provision;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import java.util.ArrayList;
import java.util.List;

/** The snapshots that a branch can be cut behind. */
@FunctionalInterface
interface SnapshotHistory {

  /**
   * A snapshot.
   *
   * @param endLsn its U: no cut from it lies before
   * @param committedEpochMs when it became the branch's newest: no transaction in it ended later
   */
  record Candidate(String manifestKey, Lsn endLsn, long committedEpochMs) {}

  /** Newest first; the head's own is the first. */
  List<Candidate> of(BranchHead head, Manifest newest);

  /** Those that the newest manifest lists, and that one itself. */
  static List<Candidate> listed(BranchHead head, Manifest newest) {
    var candidates = new ArrayList<Candidate>();
    candidates.add(new Candidate(head.manifestKey(), newest.endLsn(), newest.committedEpochMs()));
    for (Manifest.Ancestor earlier : newest.history().reversed()) {
      candidates.add(
          new Candidate(earlier.manifestKey(), earlier.endLsn(), earlier.committedEpochMs()));
    }
    return List.copyOf(candidates);
  }
}
