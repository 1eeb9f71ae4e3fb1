package dev.ebb.computeservice.audit;

import dev.ebb.shared.wal.ForkName;
import dev.ebb.shared.wal.WalBlock;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.shared.wal.WalVersion;

/**
 * Which of a record's block references name pages whose LSN the record sets. Nearly all: a record
 * refers to the blocks it changes, and whoever changes a page sets its LSN to the record's end
 * ({@code src/backend/access/transam/README}). The exceptions are those of PostgreSQL 14 to 18
 * without data checksums and {@code wal_log_hints}, which is how computes run; 17 marks most of
 * them with {@code REGBUF_NO_CHANGE}, they are older.
 */
final class Stamped {
  /** {@code RM_*_ID} in {@code src/include/access/rmgrlist.h}. */
  private static final int RM_HEAP2 = 9;

  private static final int RM_HASH = 12;

  /** From then on {@code bulk_write.c} stamps what is written beside shared buffers. */
  private static final int BULK_WRITE_SINCE = 17;

  /** {@code heapam_xlog.h}. */
  private static final int HEAP2_VISIBLE = 0x40;

  /** {@code hash_xlog.h}. */
  private static final int HASH_MOVE_PAGE_CONTENTS = 0x70;

  private static final int HASH_SQUEEZE_PAGE = 0x80;
  private static final int HASH_DELETE = 0x90;

  /** {@code pg_default} and {@code pg_global}; Ebb has no other tablespaces. */
  private static final int DEFAULT_TABLESPACE = 1663;

  private static final int GLOBAL_TABLESPACE = 1664;

  /** {@code xlog.h}, {@code pg_control.h}. */
  private static final int RM_XLOG = 0;

  private static final int XLOG_FPI = 0xB0;

  /** {@code GistBuildLSN} ({@code gist.h}), which is no position of a record. */
  private static final long BUILD_LSN = 1;

  /** A record's end is a multiple of 8: this marks one that need not be on the page. */
  private static final long IMAGE_OF_BUILD = 1;

  private Stamped() {}

  /**
   * What the page's LSN must reach, for {@link #reaches}: the record's end. For an image before 17
   * less will do: a sorted build of a GiST index writes its pages, with an LSN that says so, and
   * logs them then ({@code gist_indexsortbuild_flush_ready_pages} in {@code gistbuild.c}). What
   * logs first and writes then appends to its file, where there is nothing or zeroes before.
   */
  static long lsn(WalRecord record, WalVersion version) {
    long end = record.end().value();
    return version.major() < BULK_WRITE_SINCE
            && record.resourceManager() == RM_XLOG
            && record.operation() == XLOG_FPI
        ? end | IMAGE_OF_BUILD
        : end;
  }

  /**
   * Whether a page is as the record left it, or later.
   *
   * @param stamp the page's LSN, 0 of one that is not initialised
   * @param lsn of {@link #lsn}
   */
  static boolean reaches(long stamp, long lsn) {
    return Long.compareUnsigned(stamp, (lsn & IMAGE_OF_BUILD) != 0 ? BUILD_LSN : lsn) >= 0;
  }

  static boolean by(WalRecord record, WalBlock block, WalVersion version) {
    int tablespace = block.spcOid();
    if (block.fork() == ForkName.FSM
        || (tablespace != DEFAULT_TABLESPACE && tablespace != GLOBAL_TABLESPACE)) {
      // The free space map is a hint: it is changed, and made anew, without a record.
      return false;
    }
    if (block.fork() == ForkName.INIT && version.major() < BULK_WRITE_SINCE) {
      // Empty B-trees and SP-GiST indexes are written first and logged then: the file's page has no
      // LSN (btbuildempty in nbtree.c, spgbuildempty in spginsert.c). So it never is behind.
      return false;
    }
    int id = block.id();
    return switch (record.resourceManager()) {
      // The heap page's flag is set like a hint bit (visibilitymap_set in visibilitymap.c).
      case RM_HEAP2 -> record.operation() != HEAP2_VISIBLE || id == 0;
      // Primary bucket pages that are registered for their lock's sake only: REGBUF_NO_CHANGE in
      // hashovfl.c and hash.c. Of a squeeze the page written to may be one of them as well.
      case RM_HASH ->
          switch (record.operation()) {
            case HASH_MOVE_PAGE_CONTENTS, HASH_DELETE -> id != 0;
            case HASH_SQUEEZE_PAGE -> id > 1;
            default -> true;
          };
      default -> true;
    };
  }
}
