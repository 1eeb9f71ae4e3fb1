package dev.ebb.shared.catalog;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import org.jspecify.annotations.Nullable;

/**
 * A branch in the catalog.
 *
 * @param state CREATING until it can be started; DROPPING once a drop began
 * @param parent the branch that it left; null for a database's first one
 * @param forkLsn where it left its parent, a position of both; of a database's first branch where
 *     the database and its owner had been made. No point of its past lies before. {@code
 *     Lsn.INVALID} while it is being created
 * @param createdEpochMs when that was, for a first branch; else when its creation began
 * @param isProtected whether it may be dropped or reset only after its protection is taken off
 * @param replicas how many replicas are wanted of it
 */
public record BranchRecord(
    BranchId id,
    State state,
    @Nullable BranchId parent,
    Lsn forkLsn,
    long createdEpochMs,
    boolean isProtected,
    int replicas) {
  /** More of one branch are refused. */
  public static final int MAX_REPLICAS = 32;

  public BranchRecord {
    if (replicas < 0 || replicas > MAX_REPLICAS) {
      throw new IllegalArgumentException(
          "a branch has 0 to " + MAX_REPLICAS + " replicas, not " + replicas);
    }
  }

  /** Where a branch stands in its life. */
  public enum State {
    CREATING,
    READY,
    DROPPING
  }

  /** The first branch of a database. */
  public static BranchRecord first(BranchId id, long createdEpochMs) {
    return new BranchRecord(id, State.READY, null, Lsn.INVALID, createdEpochMs, false, 0);
  }

  /** A child that is not usable yet. */
  public static BranchRecord creating(BranchId id, BranchId parent, long createdEpochMs) {
    return new BranchRecord(id, State.CREATING, parent, Lsn.INVALID, createdEpochMs, false, 0);
  }

  /** A first branch whose database can be used from here on. */
  BranchRecord begun(Lsn fork, long epochMs) {
    return new BranchRecord(id, state, parent, fork, epochMs, isProtected, replicas);
  }

  BranchRecord ready(Lsn fork) {
    return new BranchRecord(id, State.READY, parent, fork, createdEpochMs, isProtected, replicas);
  }

  BranchRecord dropping() {
    return new BranchRecord(id, State.DROPPING, parent, forkLsn, createdEpochMs, false, 0);
  }

  BranchRecord protectedAs(boolean now) {
    return new BranchRecord(id, state, parent, forkLsn, createdEpochMs, now, replicas);
  }

  BranchRecord adoptedBy(@Nullable BranchId newParent, Lsn fork) {
    return new BranchRecord(id, state, newParent, fork, createdEpochMs, isProtected, replicas);
  }

  BranchRecord withReplicas(int wanted) {
    return new BranchRecord(id, state, parent, forkLsn, createdEpochMs, isProtected, wanted);
  }
}
