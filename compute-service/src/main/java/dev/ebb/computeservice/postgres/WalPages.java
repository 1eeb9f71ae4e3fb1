package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * WAL in {@code pg_wal}: what of it a clean start reads, and how it is laid for a start. Sources:
 * {@code src/include/access/xlog_internal.h}, {@code xlogreader.c}.
 */
public final class WalPages {
  private WalPages() {}

  /**
   * The WAL that a start after a clean stop reads.
   *
   * @param pieces whole pages: the first of the checkpoint's segment and those of its record
   * @param endLsn where the checkpoint record, and with it the log, ends
   */
  public record CleanStop(List<Manifest.WalPiece> pieces, Lsn endLsn) {}

  /**
   * Reads the pieces of a cleanly stopped cluster.
   *
   * @throws dev.ebb.shared.error.EbbException.Corrupt where the control file's checkpoint record is
   *     not there, or not intact
   */
  public static CleanStop cleanStop(Path walDirectory, PgControl control) throws IOException {
    throw new UnsupportedOperationException("being written");
  }

  /**
   * Writes sparse segment files of full size that hold the pieces, with the system identifier of
   * {@code control} in their long page headers.
   */
  public static void layInto(Path walDirectory, List<Manifest.WalPiece> pieces, PgControl control)
      throws IOException {
    throw new UnsupportedOperationException("being written");
  }

  /**
   * Opens a writer of the contiguous log from {@code from} on, into the segments that {@link
   * #layInto} made or new ones.
   */
  public static WalLayer layLog(Path walDirectory, Lsn from, PgControl control) throws IOException {
    throw new UnsupportedOperationException("being written");
  }
}
