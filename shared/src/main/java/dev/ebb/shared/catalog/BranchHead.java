package dev.ebb.shared.catalog;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;

/**
 * The head of a branch, stored as JSON under {@code branches/ID/head} and changed by
 * compare-and-set only: who may write (generation) and where a start begins (manifest).
 *
 * @param systemIdentifier the branch's own, put over that of the manifest at a start
 * @param generation of the newest primary ever started
 * @param manifestKey the object that holds the newest snapshot's manifest; of a template, at first
 * @param closed true after a clean suspend: the log ends at {@code closedLsn} and nothing of this
 *     generation runs any more, so that a start needs no read of the log
 * @param closedLsn where the log ends when closed, else {@code Lsn.INVALID}
 * @param dropped a tombstone: nothing may be started or committed any more
 * @param logMade false for a child whose topic its first start still has to make: nothing was ever
 *     written to it. Where it is true, a topic that is missing was lost
 * @param collectedBefore rises each time that a collection is about to delete what a commit on this
 *     head could refer to. Objects that were last changed at or before it, in ms since the epoch by
 *     the store's clock, may be gone: nothing that was begun before the head had this value is
 *     committed on it, unless all that it wrote is younger. 0 for never
 * @param inherits whether transactions that its parent had prepared may be in it still: its first
 *     primary rolls them back before anybody is told of it
 */
public record BranchHead(
    int formatVersion,
    BranchId branch,
    DatabaseId database,
    long systemIdentifier,
    Generation generation,
    String manifestKey,
    boolean closed,
    Lsn closedLsn,
    boolean dropped,
    boolean logMade,
    long collectedBefore,
    boolean inherits) {

  /** A head whose branch has a topic. */
  public BranchHead(
      int formatVersion,
      BranchId branch,
      DatabaseId database,
      long systemIdentifier,
      Generation generation,
      String manifestKey,
      boolean closed,
      Lsn closedLsn,
      boolean dropped) {
    this(
        formatVersion,
        branch,
        database,
        systemIdentifier,
        generation,
        manifestKey,
        closed,
        closedLsn,
        dropped,
        true);
  }

  /** A head on which nothing was collected yet. */
  public BranchHead(
      int formatVersion,
      BranchId branch,
      DatabaseId database,
      long systemIdentifier,
      Generation generation,
      String manifestKey,
      boolean closed,
      Lsn closedLsn,
      boolean dropped,
      boolean logMade) {
    this(
        formatVersion,
        branch,
        database,
        systemIdentifier,
        generation,
        manifestKey,
        closed,
        closedLsn,
        dropped,
        logMade,
        0,
        false);
  }

  BranchHead withGeneration(Generation next) {
    return with(next, manifestKey, closed, closedLsn, dropped, logMade, collectedBefore, inherits);
  }

  BranchHead withSnapshot(String newManifestKey, boolean nowClosed, Lsn end) {
    return with(
        generation, newManifestKey, nowClosed, end, dropped, logMade, collectedBefore, inherits);
  }

  BranchHead withTombstone() {
    return with(
        generation, manifestKey, closed, closedLsn, true, logMade, collectedBefore, inherits);
  }

  BranchHead withLogMade() {
    return with(
        generation, manifestKey, closed, closedLsn, dropped, true, collectedBefore, inherits);
  }

  BranchHead withCollected(long before) {
    return with(generation, manifestKey, closed, closedLsn, dropped, logMade, before, inherits);
  }

  BranchHead withoutInheritance() {
    return with(
        generation, manifestKey, closed, closedLsn, dropped, logMade, collectedBefore, false);
  }

  /** What stays is whose head it is. */
  private BranchHead with(
      Generation newGeneration,
      String newManifestKey,
      boolean nowClosed,
      Lsn end,
      boolean nowDropped,
      boolean nowLogMade,
      long before,
      boolean nowInherits) {
    return new BranchHead(
        formatVersion,
        branch,
        database,
        systemIdentifier,
        newGeneration,
        newManifestKey,
        nowClosed,
        end,
        nowDropped,
        nowLogMade,
        before,
        nowInherits);
  }
}
