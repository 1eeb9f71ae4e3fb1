package dev.ebb.walservice.send;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest.WalPiece;
import java.util.List;

/**
 * What a sender has to know of the branch whose WAL it sends.
 *
 * @param name as people call it
 * @param serverVersion as the parameter {@code server_version} has it
 * @param majorVersion of the PostgreSQL whose WAL it is
 * @param idleEnd where the log ends that has no WAL yet
 * @param pieces WAL before the log's beginning that is still known
 * @param hint an offset in the topic of a record known to be valid, from which reading gives
 *     everything from {@code hintLsn} on; -1 for none
 * @param hintLsn a record's start or a page's
 */
public record ServedBranch(
    BranchId id,
    String name,
    long systemIdentifier,
    String serverVersion,
    int majorVersion,
    int segmentBytes,
    Lsn idleEnd,
    List<WalPiece> pieces,
    long hint,
    Lsn hintLsn) {

  /** Finds branches. Blocks; thread-safe. */
  @FunctionalInterface
  public interface Directory {
    /**
     * The branch that a client named as its user.
     *
     * @throws dev.ebb.shared.error.EbbException {@code NotFound} where there is none, {@code
     *     Conflict} where it is not usable now
     */
    ServedBranch find(String user);
  }
}
