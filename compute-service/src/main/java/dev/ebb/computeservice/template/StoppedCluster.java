package dev.ebb.computeservice.template;

import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A cleanly stopped data directory as the ingredients of a manifest.
 *
 * @param directory the data directory itself
 * @param control its control file
 * @param directories as {@link Manifest#directories()}
 * @param smallFiles as {@link Manifest#smallFiles()}, the control file among them
 * @param files as {@link Manifest#files()}, all of incarnation 1
 * @param walPieces as {@link Manifest#walPieces()}
 * @param endLsn where its log ends
 */
public record StoppedCluster(
    Path directory,
    PgControl control,
    List<String> directories,
    List<Manifest.SmallFile> smallFiles,
    List<Manifest.BlockFile> files,
    List<Manifest.WalPiece> walPieces,
    Lsn endLsn) {

  /**
   * Walks a data directory.
   *
   * @throws dev.ebb.shared.error.EbbException.Invalid where it was not stopped cleanly
   * @throws dev.ebb.shared.error.EbbException.Corrupt where something a start needs is missing
   */
  public static StoppedCluster read(Path dataDirectory) throws IOException {
    throw new UnsupportedOperationException("being written");
  }

  /** {@code count} whole blocks of a file. */
  public byte[] readBlocks(FileKey file, int firstBlock, int count) throws IOException {
    throw new UnsupportedOperationException("being written");
  }
}
