package dev.ebb.shared.wal;

import java.time.Instant;
import java.util.List;

/**
 * What a record says with which a transaction was prepared. Layout: {@code xl_xact_prepare} of
 * {@code src/include/access/xact.h}; each part behind it begins at a multiple of 8 ({@code
 * save_state_data} of {@code src/backend/access/transam/twophase.c}).
 *
 * @param xid which transaction
 * @param dbOid the database it was in
 * @param owner the role that prepared it
 * @param time when, by the server's clock
 * @param gid what it is called
 * @param subtransactions those that end with it
 * @param droppedAtCommit relations whose files go away if it commits
 * @param droppedAtAbort relations whose files go away if it aborts
 */
public record PreparedTransaction(
    int xid,
    int dbOid,
    int owner,
    Instant time,
    String gid,
    List<Integer> subtransactions,
    List<RelFileLocator> droppedAtCommit,
    List<RelFileLocator> droppedAtAbort) {
  private static final int PREPARE = 0x10;
  private static final int OPERATION = 0x70;

  /** {@code TWOPHASE_MAGIC}. */
  private static final int MAGIC = 0x57F94534;

  /** Whether the record is one of these. */
  public static boolean is(WalRecord record) {
    return record.resourceManager() == ResourceManager.TRANSACTION.id()
        && (record.info() & OPERATION) == PREPARE;
  }

  /**
   * Reads such a record.
   *
   * @throws IllegalArgumentException where it is none
   */
  public static PreparedTransaction of(WalRecord record) throws WalException {
    if (!is(record)) {
      throw new IllegalArgumentException("no transaction is prepared at " + record.start());
    }
    var data = new MainData(record);
    int magic = data.integer();
    if (magic != MAGIC) {
      throw record.wrong(String.format("a two-phase state with the magic %08X", magic));
    }
    data.skip(Integer.BYTES); // its length
    final int xid = data.integer();
    final int dbOid = data.integer();
    final Instant time = data.time();
    final int owner = data.integer();
    final int subtransactions = data.integer();
    final int atCommit = data.integer();
    final int atAbort = data.integer();
    if (record.writtenBy().isAtLeast(WalVersion.V15)) {
      data.skip(2 * Integer.BYTES); // numbers of statistics
    }
    data.skip(Integer.BYTES); // the number of invalidations
    int gidBytes = data.integer() >>> 16; // behind a flag of one byte
    data.align();
    data.skip(2 * Long.BYTES); // where it came from
    if (gidBytes > TransactionEnd.MAX_GID_BYTES) {
      throw record.wrong("a transaction's name of " + gidBytes + " bytes");
    }
    final String gid = data.string(gidBytes);
    data.align();
    final List<Integer> children = data.integers(subtransactions);
    data.align();
    final List<RelFileLocator> droppedAtCommit = data.relations(atCommit);
    data.align();
    return new PreparedTransaction(
        xid, dbOid, owner, time, gid, children, droppedAtCommit, data.relations(atAbort));
  }
}
