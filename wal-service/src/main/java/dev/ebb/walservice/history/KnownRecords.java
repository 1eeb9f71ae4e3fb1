package dev.ebb.walservice.history;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import java.util.Optional;

/**
 * The records of topics that are known to be part of the history: those that snapshots name. A
 * topic's own beginning is none: it was one where the topic was trimmed, but a broker that is
 * killed may forget that, and begin again with any older record that it still has, be it of a
 * writer that had been fenced.
 */
public final class KnownRecords {
  private final ObjectStore store;
  private final BranchHeads heads;

  public KnownRecords(ObjectStore store) {
    this.store = store;
    this.heads = new BranchHeads(store);
  }

  /**
   * A record that is part of the history.
   *
   * @param offset never 0: a whole topic needs none
   * @param from reading from the record on gives all WAL from this position on
   */
  public record Known(long offset, Lsn from) {}

  /**
   * The record that a branch's newest snapshot names; empty where that is another branch's, whose
   * offsets are those of another topic. Blocks; {@code Unavailable} where the store is, and where
   * the snapshot is just being replaced.
   */
  public Optional<Known> newest(BranchId branch) {
    return heads
        .read(branch)
        .map(BranchHeads.Versioned::head)
        .filter(head -> !head.dropped() && !head.manifestKey().isEmpty())
        .map(this::manifest)
        .filter(manifest -> manifest.branch().equals(branch) && manifest.walOffsetHint() > 0)
        .map(KnownRecords::known);
  }

  private Manifest manifest(BranchHead head) {
    return store
        .get(head.manifestKey())
        .map(stored -> ManifestCodec.decode(stored.content()))
        .orElseThrow(
            () -> new EbbException.Unavailable("the newest snapshot is just being replaced"));
  }

  private static Known known(Manifest manifest) {
    return new Known(manifest.walOffsetHint(), manifest.replayFrom());
  }
}
