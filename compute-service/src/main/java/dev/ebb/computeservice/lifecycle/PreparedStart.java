package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.pages.ReadSnapshot;
import dev.ebb.computeservice.skeleton.Skeleton;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * An instance that is laid out and does not run yet: everything of a start that needs no word of
 * the log.
 *
 * @param head what it is laid out for: the generation that the start raises the head to, and the
 *     snapshot
 * @param snapshot where its pages are read from
 * @param self the primary that it becomes
 */
record PreparedStart(
    BranchHead head,
    ReadSnapshot snapshot,
    Manifest manifest,
    PostgresInstance instance,
    AtomicReference<@Nullable Primary> self)
    implements PreparedStarts.Laid {
  private static final long DURABLE_BEFORE_ANSWER_MS = 1_000;

  /**
   * Lays one out.
   *
   * @param tail WAL to replay, or null where the log ends with the snapshot
   */
  static PreparedStart lay(
      PostgresInstances instances,
      BranchHead head,
      ReadSnapshot snapshot,
      Manifest manifest,
      Skeleton.@Nullable Tail tail) {
    var self = new AtomicReference<@Nullable Primary>();
    PostgresInstance instance =
        instances.lay(
            new PostgresInstances.Start(
                head.branch().value(),
                head.generation(),
                snapshot,
                manifest,
                head.systemIdentifier(),
                new PostgresInstances.Kind.Primary(
                    tail, timeoutMs -> awaitAllDurable(self, timeoutMs))));
    return new PreparedStart(head, snapshot, manifest, instance, self);
  }

  /**
   * Whether a generation that was just opened may run on this. Rule 21 holds by itself: it is made
   * of the snapshot alone, and the log ends with that. A compaction that moved the snapshot's pages
   * meanwhile makes no difference.
   */
  boolean isFor(BranchHeads.Opened opened) {
    BranchHead before = opened.previous();
    return before.closed()
        && before.closedLsn().equals(manifest.endLsn())
        && opened.head().generation().equals(head.generation())
        && opened.head().systemIdentifier() == head.systemIdentifier()
        && BranchKeys.snapshotOf(opened.head().manifestKey())
            .equals(BranchKeys.snapshotOf(head.manifestKey()));
  }

  @Override
  public void delete() {
    instance.close();
  }

  /** Storage rule 5: a cancelled commit wait goes on until all that is flushed is durable. */
  private static void awaitAllDurable(AtomicReference<@Nullable Primary> self, long timeoutMs)
      throws IOException {
    Primary primary = self.get();
    if (primary == null) {
      throw new IOException("the compute is still starting");
    }
    try {
      primary.awaitFlushedDurable(Math.max(1, timeoutMs - DURABLE_BEFORE_ANSWER_MS));
    } catch (EbbException e) {
      throw new IOException(e.getMessage(), e);
    }
  }
}
