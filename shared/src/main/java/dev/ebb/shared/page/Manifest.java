package dev.ebb.shared.page;

import dev.ebb.shared.model.BranchId;
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
 * @param packs the packs that hold the pages, oldest first: the newest that has a block wins
 * @param bootPack the pack with the pages that every start reads, or an empty string
 * @param bootBlocks the blocks that belong in the boot pack
 * @param roles every role that may log in, as of this snapshot
 * @param walOffsetHint an offset in the branch's topic at or before the record that holds {@code
 *     redoLsn}; -1 for unknown
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
    List<PackRef> packs,
    String bootPack,
    List<BlockRun> bootBlocks,
    List<RoleState> roles,
    long walOffsetHint) {

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
   * A pack, with what a reader needs to fetch its index in one ranged read.
   *
   * @param key the object
   * @param bytes the object's size
   * @param indexBytes the size of the index at its end
   */
  public record PackRef(String key, long bytes, int indexBytes) {}

  /** {@code count} blocks from {@code firstBlock} on. */
  public record BlockRun(FileKey file, int firstBlock, int count) {}
}
