package dev.ebb.computeservice.audit;

import dev.ebb.shared.wal.ForkName;
import dev.ebb.shared.wal.WalBlock;
import dev.ebb.shared.wal.WalRecord;

/**
 * Which of a record's block references name pages whose LSN the record sets. Nearly all: a record
 * refers to the blocks it changes, and whoever changes a page sets its LSN to the record's end
 * ({@code src/backend/access/transam/README}). The exceptions are those of PostgreSQL 18 without
 * data checksums and {@code wal_log_hints}, which is how computes run.
 */
final class Stamped {
  /** {@code RM_*_ID} in {@code src/include/access/rmgrlist.h}. */
  private static final int RM_HEAP2 = 9;

  private static final int RM_HASH = 12;

  /** {@code heapam_xlog.h}. */
  private static final int HEAP2_VISIBLE = 0x40;

  /** {@code hash_xlog.h}. */
  private static final int HASH_MOVE_PAGE_CONTENTS = 0x70;

  private static final int HASH_SQUEEZE_PAGE = 0x80;
  private static final int HASH_DELETE = 0x90;

  /** {@code pg_default} and {@code pg_global}; Ebb has no other tablespaces. */
  private static final int DEFAULT_TABLESPACE = 1663;

  private static final int GLOBAL_TABLESPACE = 1664;

  private Stamped() {}

  static boolean by(WalRecord record, WalBlock block) {
    int tablespace = block.spcOid();
    if (block.fork() == ForkName.FSM
        || (tablespace != DEFAULT_TABLESPACE && tablespace != GLOBAL_TABLESPACE)) {
      // The free space map is a hint: it is changed, and made anew, without a record.
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
