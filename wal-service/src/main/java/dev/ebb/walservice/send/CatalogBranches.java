package dev.ebb.walservice.send;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Names;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.walservice.send.ServedBranch.Hint;
import java.util.Optional;

/**
 * The branches of the catalog, named {@code database@branch}, where {@code @main} may be left out,
 * or {@code @ID} by those within the cluster who know a branch by its id.
 */
public final class CatalogBranches implements ServedBranch.Directory {
  private static final int FIRST_OF_MINOR = 100;

  /** At earlier snapshots, each a read. */
  private static final int MAX_LOOKS = 4;

  private final ObjectStore store;
  private final Catalog catalog;
  private final BranchHeads heads;

  public CatalogBranches(ObjectStore store) {
    this.store = store;
    this.catalog = new Catalog(store);
    this.heads = new BranchHeads(store);
  }

  @Override
  public ServedBranch find(String user) {
    BranchId id = user.startsWith("@") ? byId(user.substring(1)) : byName(user);
    BranchHead head =
        heads
            .read(id)
            .map(BranchHeads.Versioned::head)
            .filter(found -> !found.dropped())
            .orElseThrow(() -> missing(user));
    Manifest manifest =
        ManifestCodec.decode(
            store
                .get(head.manifestKey())
                .orElseThrow(
                    () -> new EbbException.Unavailable("the newest snapshot is being replaced"))
                .content());
    return new ServedBranch(
        id,
        user,
        head.systemIdentifier(),
        version(manifest.postgresVersion()),
        major(manifest.postgresVersion()),
        manifest.walSegmentBytes(),
        head.closed() ? head.closedLsn() : manifest.endLsn(),
        manifest.walPieces(),
        lsn -> hintBefore(lsn, id, manifest));
  }

  /** That of the newest snapshot that begins at or before the position. */
  private Optional<Hint> hintBefore(Lsn lsn, BranchId branch, Manifest newest) {
    Optional<Hint> own = hintOf(branch, newest).filter(hint -> !hint.lsn().isAfter(lsn));
    if (own.isPresent()) {
      return own;
    }
    int looks = 0;
    for (Manifest.Ancestor earlier : newest.history().reversed()) {
      if (earlier.redoLsn().isAfter(lsn)) {
        continue;
      }
      if (!earlier.manifestKey().startsWith(BranchKeys.prefix(branch)) || looks++ == MAX_LOOKS) {
        break; // inherited, and of another log; or gone, as all that is older
      }
      Optional<Hint> found =
          store
              .get(earlier.manifestKey())
              .map(stored -> ManifestCodec.decode(stored.content()))
              .flatMap(manifest -> hintOf(branch, manifest))
              .filter(hint -> !hint.lsn().isAfter(lsn));
      if (found.isPresent()) {
        return found;
      }
    }
    return Optional.empty();
  }

  /**
   * Behind a clean stop the hint is that of the log's last record, which need not have all of the
   * checkpoint's; at its redo point otherwise. A first snapshot's hint is of another log.
   */
  private static Optional<Hint> hintOf(BranchId branch, Manifest manifest) {
    return manifest.branch().equals(branch) && manifest.walOffsetHint() > 0
        ? Optional.of(new Hint(manifest.walOffsetHint(), manifest.replayFrom()))
        : Optional.empty();
  }

  private static BranchId byId(String text) {
    try {
      return new BranchId(text);
    } catch (IllegalArgumentException e) {
      throw missing("@" + text);
    }
  }

  private BranchId byName(String user) {
    BranchAddress address;
    try {
      address = BranchAddress.parse(user);
    } catch (IllegalArgumentException e) {
      throw missing(user);
    }
    DatabaseRecord database =
        catalog
            .find(address.database())
            .filter(found -> found.state() == DatabaseRecord.State.READY)
            .orElseThrow(() -> missing(user));
    BranchRecord branch = database.branches().get(address.branch());
    if (branch == null || branch.state() != BranchRecord.State.READY) {
      throw missing(user);
    }
    return branch.id();
  }

  private static EbbException.NotFound missing(String user) {
    return new EbbException.NotFound("branch \"" + Names.printable(user) + "\" does not exist");
  }

  /** As PostgreSQL prints it; the manifest has 180006, or the major version alone. */
  static String version(int number) {
    return number < FIRST_OF_MINOR
        ? Integer.toString(number)
        : number / 10_000 + "." + number % 10_000;
  }

  static int major(int number) {
    return number < FIRST_OF_MINOR ? number : number / 10_000;
  }
}
