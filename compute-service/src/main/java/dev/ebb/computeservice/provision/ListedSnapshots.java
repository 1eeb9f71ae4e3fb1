package dev.ebb.computeservice.provision;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The manifests that the store lists for a branch. */
final class ListedSnapshots implements SnapshotHistory {
  private final ObjectStore store;

  ListedSnapshots(ObjectStore store) {
    this.store = store;
  }

  @Override
  public List<Candidate> of(BranchHead head, Manifest newest) {
    var found =
        new ArrayList<ObjectStore.Listed>(
            store.list(BranchKeys.prefix(head.branch()) + "manifests/"));
    if (found.stream().noneMatch(object -> object.key().equals(head.manifestKey()))) {
      found.addAll(store.list(head.manifestKey()));
    }
    return found.stream()
        .sorted(Comparator.comparingLong(ObjectStore.Listed::modifiedEpochMs).reversed())
        .map(object -> new Candidate(object.key(), object.modifiedEpochMs()))
        .toList();
  }
}
