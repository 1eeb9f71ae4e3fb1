package dev.ebb.walservice.send;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest.WalPiece;
import java.util.List;
import java.util.Optional;

/**
 * What a sender has to know of the branch whose WAL it sends.
 *
 * @param name as people call it
 * @param serverVersion as the parameter {@code server_version} has it
 * @param majorVersion of the PostgreSQL whose WAL it is
 * @param idleEnd where the log ends that has no WAL yet
 * @param pieces WAL before the log's beginning that is still known
 * @param hints where its topic can be read from in the middle
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
    Hints hints) {

  /** What snapshots know of places in the topic. */
  @FunctionalInterface
  public interface Hints {
    /** The last one that is known to give everything from a position on. May block. */
    Optional<Hint> before(Lsn lsn);

    /** Nothing is known. */
    static Hints none() {
      return lsn -> Optional.empty();
    }

    /** One place is known. */
    static Hints of(Hint hint) {
      return lsn -> hint.lsn().isAfter(lsn) ? Optional.empty() : Optional.of(hint);
    }
  }

  /**
   * A place.
   *
   * @param offset in the topic, of a record known to be valid, from which reading gives everything
   *     from {@code lsn} on
   * @param lsn a record's start or end, or a page's start
   */
  public record Hint(long offset, Lsn lsn) {}

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
