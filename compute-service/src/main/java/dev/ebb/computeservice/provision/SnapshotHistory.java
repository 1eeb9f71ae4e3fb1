package dev.ebb.computeservice.provision;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.page.Manifest;
import java.util.List;

/** The snapshots that a branch can be cut behind. */
@FunctionalInterface
interface SnapshotHistory {

  /**
   * A snapshot.
   *
   * @param committedEpochMs when it became the branch's newest: no transaction in it ended later
   */
  record Candidate(String manifestKey, long committedEpochMs) {}

  /** Newest first; the head's own is the first. */
  List<Candidate> of(BranchHead head, Manifest newest);
}
