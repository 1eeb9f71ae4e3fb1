package dev.ebb.computeservice.template;

import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * What must be true of a skeleton before PostgreSQL starts on it: PostgreSQL itself gets "ready" on
 * zeroed SLRU files, a missing {@code pg_filenode.map} and a missing {@code PG_VERSION}.
 */
public final class SkeletonCheck {
  private SkeletonCheck() {}

  /** A block that was hydrated before the start, with the CRC32C of what was fetched. */
  public record EagerBlock(dev.ebb.shared.page.FileKey file, int block, int crc32c) {}

  /**
   * The SLRU blocks that a start reads, where an error would be a PANIC or a zeroed page a silent
   * loss: hydrate them before the start.
   */
  public static List<Manifest.BlockRun> requiredBlocks(
      PgControl control, List<Manifest.BlockFile> files) {
    throw new UnsupportedOperationException("being written");
  }

  /**
   * Looks at a skeleton on disk.
   *
   * @throws dev.ebb.shared.error.EbbException.Corrupt naming the first thing that is wrong
   */
  public static void check(
      Path dataDirectory, List<Manifest.BlockFile> files, List<EagerBlock> hydrated)
      throws IOException {
    throw new UnsupportedOperationException("being written");
  }
}
