package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.pages.ReadSnapshot;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The snapshot that a replica reads absent blocks from. It begins with the one that the replica
 * started on, and follows the branch's newest: so that nothing has to be kept for its sake, however
 * long it lives, and a collection or compaction takes nothing away that it reads.
 *
 * <p>It may follow to a snapshot once it has replayed all WAL up to that one's end U. A block that
 * is absent then was touched by none of that WAL, or replay would have fetched or written it; what
 * was written stays, since a replica never captures. So both snapshots have the same in it, but for
 * hints; and nothing in the newer one is ahead of what was replayed.
 *
 * <p>Thread-safe.
 */
final class FollowedSnapshot {
  private final BranchId branch;
  private final BranchHeads heads;
  private final Function<String, Manifest> manifests;
  private final ReadSnapshot read;
  private volatile Lsn replayed = Lsn.INVALID;

  /** The newest that was seen: one that it may not follow to is not asked for again and again. */
  private volatile Newest newest;

  /** What of a snapshot counts here. */
  record Newest(SnapshotId snapshot, String manifestKey, Lsn end) {
    static Newest of(String manifestKey, Manifest manifest) {
      return new Newest(manifest.snapshot(), manifestKey, manifest.endLsn());
    }
  }

  /**
   * Begins with the head's.
   *
   * @param manifests reads one
   */
  FollowedSnapshot(
      BranchHead head, Manifest manifest, BranchHeads heads, Function<String, Manifest> manifests) {
    this.branch = head.branch();
    this.heads = heads;
    this.manifests = manifests;
    this.newest = Newest.of(head.manifestKey(), manifest);
    this.read = new ReadSnapshot(head.manifestKey(), this::newestReadable);
  }

  /** Where pages are read. */
  ReadSnapshot read() {
    return read;
  }

  /** So much is replayed. */
  void replayed(Lsn position) {
    replayed = Lsn.max(replayed, position);
  }

  /** Looks at the branch's head, and follows it where that may be; null where it is dropped. */
  @Nullable BranchHead follow() {
    BranchHead head = look();
    if (head != null) {
      readable().ifPresent(read::advance);
    }
    return head;
  }

  /** The end of the newest snapshot that was seen. */
  Lsn newestEnd() {
    return newest.end();
  }

  private Optional<String> newestReadable() {
    return look() == null ? Optional.empty() : readable();
  }

  private @Nullable BranchHead look() {
    BranchHead head =
        heads
            .read(branch)
            .map(BranchHeads.Versioned::head)
            .filter(found -> !found.dropped())
            .orElse(null);
    if (head != null && !head.manifestKey().equals(newest.manifestKey())) {
      newest = Newest.of(head.manifestKey(), manifests.apply(head.manifestKey()));
    }
    return head;
  }

  private Optional<String> readable() {
    Newest now = newest;
    // A compaction's revision of the snapshot that it reads anyway has the same pages.
    boolean same =
        BranchKeys.snapshotOf(read.key()).equals(BranchKeys.snapshotOf(now.manifestKey()));
    return same || !now.end().isAfter(replayed) ? Optional.of(now.manifestKey()) : Optional.empty();
  }
}
