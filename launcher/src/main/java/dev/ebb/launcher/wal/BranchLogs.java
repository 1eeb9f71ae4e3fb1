package dev.ebb.launcher.wal;

import dev.ebb.launcher.up.LogAccess;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.shared.wal.WalVersion;
import dev.ebb.walservice.history.BranchWal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What tools know of a branch before they read its log.
 *
 * @param owner the database's
 * @param snapshots that it can still be recovered from, the oldest first; not empty
 */
record BranchLogs(
    LogAccess access, String name, BranchId branch, String owner, List<Manifest> snapshots) {
  private static final Duration TIMEOUT = Duration.ofMinutes(5);
  private static final String MAIN = "main";

  /** Looks a branch up, by {@code NAME} or {@code NAME@BRANCH}. */
  static BranchLogs find(LogAccess access, String name) throws WalFailure {
    int at = name.indexOf('@');
    String database = at < 0 ? name : name.substring(0, at);
    String branch = at < 0 ? MAIN : name.substring(at + 1);
    try {
      DatabaseRecord record =
          new Catalog(access.store())
              .find(database)
              .orElseThrow(() ->
                  new WalFailure(
                      "there is no database \"" + database + "\": \"./ebb db list\" shows all"));
      BranchRecord found = record.branches().get(branch);
      if (found == null) {
        throw new WalFailure(
            "database \"%s\" has no branch \"%s\"; it has %s"
                .formatted(database, branch, String.join(", ", record.branches().keySet())));
      }
      return new BranchLogs(
          access, name, found.id(), record.owner(), snapshots(access.store(), found.id(), name));
    } catch (EbbException e) {
      throw new WalFailure(String.valueOf(e.getMessage()));
    }
  }

  private static List<Manifest> snapshots(ObjectStore store, BranchId branch, String name)
      throws WalFailure {
    String key =
        new BranchHeads(store)
            .read(branch)
            .map(BranchHeads.Versioned::head)
            .map(BranchHead::manifestKey)
            .orElse("");
    Optional<Manifest> newest = key.isEmpty() ? Optional.empty() : manifest(store, key);
    if (newest.isEmpty()) {
      throw new WalFailure("branch \"" + name + "\" has no snapshot: it is still being made");
    }
    List<Manifest> snapshots = new ArrayList<>();
    for (Manifest.Ancestor ancestor : newest.get().history()) {
      manifest(store, ancestor.manifestKey()).ifPresent(snapshots::add);
    }
    snapshots.add(newest.get());
    return snapshots;
  }

  private static Optional<Manifest> manifest(ObjectStore store, String key) {
    return store.get(key).map(stored -> ManifestCodec.decode(stored.content()));
  }

  Manifest newest() {
    return snapshots.getLast();
  }

  WalOptions options() {
    return WalOptions.ofSegments(newest().walSegmentBytes())
        .with(WalVersion.ofMajor(newest().postgresVersion() / 10_000));
  }

  /** Reads the log; what lies before {@code from} is not wanted. */
  BranchWal open(Lsn from) throws WalFailure {
    List<BranchWal.Entry> entries = new ArrayList<>();
    for (Manifest snapshot : snapshots) {
      if (snapshot.branch().equals(branch) && snapshot.walOffsetHint() >= 0) {
        entries.add(new BranchWal.Entry(snapshot.walOffsetHint(), snapshot.replayFrom()));
      }
    }
    try {
      BranchWal wal =
          BranchWal.open(access.topics(), branch, access.spool(), from, entries, TIMEOUT);
      if (!wal.first().isValid()) {
        wal.close();
        throw new WalFailure(
            "the log of \""
                + name
                + "\" is empty: nothing was written since its snapshot at "
                + newest().endLsn());
      }
      return wal;
    } catch (EbbException.NotFound e) {
      throw new WalFailure(
          "branch \"" + name + "\" has no log yet, or what it had has expired: " + e.getMessage());
    } catch (EbbException e) {
      throw new WalFailure(String.valueOf(e.getMessage()));
    }
  }
}
