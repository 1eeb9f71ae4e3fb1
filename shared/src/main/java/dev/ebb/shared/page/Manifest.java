package dev.ebb.shared.page;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseAccess;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.SnapshotId;
import java.util.List;

/**
 * The durable picture of a branch at a checkpoint, all that a cold start needs. Encoded by {@link
 * ManifestCodec}: versioned, compressed, checksummed. Redo starts at {@code redoLsn}.
 *
 * @param snapshot this snapshot's identity
 * @param branch the branch that captured it (a template's manifest names the template)
 * @param generation the primary that captured it
 * @param postgresVersion {@code server_version_num}, such as 180006
 * @param systemIdentifier as in {@code pg_control}; the branch head may override it at a start
 * @param walSegmentBytes the WAL segment size
 * @param timeline always 1 in Ebb
 * @param redoLsn where recovery starts
 * @param checkpointLsn where the checkpoint record starts
 * @param endLsn U: no captured page carries an LSN past it. For a clean stop: the end of the log
 * @param clean whether PostgreSQL was shut down cleanly: no WAL needs replaying
 * @param nextIncarnation a number larger than every file's incarnation
 * @param directories every directory below the data directory, parents first, relative paths
 * @param smallFiles files kept whole, {@code global/pg_control} among them
 * @param files files of blocks, sorted by key
 * @param walPieces WAL bytes a start reads that may no longer be in the log: after a clean stop the
 *     page(s) of the checkpoint record and the first page of its segment
 * @param bootPack the pack with the pages that every start reads, or an empty string
 * @param bootBlocks the blocks that belong in the boot pack
 * @param roles every role that may log in, as of this snapshot
 * @param walOffsetHint an offset in the branch's topic at or before the record that holds {@link
 *     #replayFrom}; -1 for unknown
 * @param committedEpochMs when the page service committed it, in ms since the epoch; 0 before that
 * @param history the retained earlier snapshots of the branch's line, oldest first; filled in by
 *     the page service
 * @param pageIndex where the pages are; the page service's own, opaque to everybody else
 * @param restricted the databases that are not open to everybody, as of this snapshot
 */
public record Manifest(
    SnapshotId snapshot,
    BranchId branch,
    Generation generation,
    int postgresVersion,
    long systemIdentifier,
    int walSegmentBytes,
    int timeline,
    Lsn redoLsn,
    Lsn checkpointLsn,
    Lsn endLsn,
    boolean clean,
    int nextIncarnation,
    List<String> directories,
    List<SmallFile> smallFiles,
    List<BlockFile> files,
    List<WalPiece> walPieces,
    String bootPack,
    List<BlockRun> bootBlocks,
    List<RoleState> roles,
    long walOffsetHint,
    long committedEpochMs,
    List<Ancestor> history,
    byte[] pageIndex,
    List<DatabaseAccess> restricted) {

  /** One of a cluster whose databases are all open. */
  public Manifest(
      SnapshotId snapshot,
      BranchId branch,
      Generation generation,
      int postgresVersion,
      long systemIdentifier,
      int walSegmentBytes,
      int timeline,
      Lsn redoLsn,
      Lsn checkpointLsn,
      Lsn endLsn,
      boolean clean,
      int nextIncarnation,
      List<String> directories,
      List<SmallFile> smallFiles,
      List<BlockFile> files,
      List<WalPiece> walPieces,
      String bootPack,
      List<BlockRun> bootBlocks,
      List<RoleState> roles,
      long walOffsetHint,
      long committedEpochMs,
      List<Ancestor> history,
      byte[] pageIndex) {
    this(
        snapshot,
        branch,
        generation,
        postgresVersion,
        systemIdentifier,
        walSegmentBytes,
        timeline,
        redoLsn,
        checkpointLsn,
        endLsn,
        clean,
        nextIncarnation,
        directories,
        smallFiles,
        files,
        walPieces,
        bootPack,
        bootBlocks,
        roles,
        walOffsetHint,
        committedEpochMs,
        history,
        pageIndex,
        List.of());
  }

  /**
   * Where the WAL begins that this snapshot does not have: behind a clean stop nothing is redone.
   */
  public Lsn replayFrom() {
    return clean ? endLsn : redoLsn;
  }

  /** A file kept whole. */
  public record SmallFile(String path, byte[] content) {}

  /**
   * A file of blocks.
   *
   * @param incarnation changes when the file is removed and made again under the same name: a page
   *     in a pack belongs to this file only where the incarnations agree
   * @param blocks its length in blocks
   */
  public record BlockFile(FileKey key, int incarnation, int blocks) {}

  /** WAL bytes that start at {@code start}. */
  public record WalPiece(Lsn start, byte[] bytes) {}

  /**
   * An earlier snapshot of the branch's line, perhaps of the branch that it left.
   *
   * @param manifestKey its manifest's object
   * @param redoLsn where recovery from it starts
   * @param endLsn its U: a cut at or behind it can begin there
   * @param committedEpochMs when it was committed, in ms since the epoch
   */
  public record Ancestor(
      String manifestKey, SnapshotId snapshot, Lsn redoLsn, Lsn endLsn, long committedEpochMs) {}

  /** {@code count} blocks from {@code firstBlock} on. */
  public record BlockRun(FileKey file, int firstBlock, int count) {}

  /**
   * This manifest as the page service stores it.
   *
   * @param pack the boot pack's key, or empty
   */
  public Manifest committed(long epochMs, List<Ancestor> ancestors, String pack, byte[] index) {
    return new Manifest(
        snapshot,
        branch,
        generation,
        postgresVersion,
        systemIdentifier,
        walSegmentBytes,
        timeline,
        redoLsn,
        checkpointLsn,
        endLsn,
        clean,
        nextIncarnation,
        directories,
        smallFiles,
        files,
        walPieces,
        pack,
        bootBlocks,
        roles,
        walOffsetHint,
        epochMs,
        List.copyOf(ancestors),
        index,
        restricted);
  }
}
