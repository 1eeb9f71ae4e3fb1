package dev.ebb.shared.wal;

import dev.ebb.shared.model.Lsn;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

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
 * @param statisticsAtCommit entries of statistics that go away if it commits, since 15
 * @param statisticsAtAbort those that go away if it aborts
 * @param invalidations will tell others to forget what they cached
 * @param dropsInitFile whether they are to forget the file of cached relations, too
 * @param origin where it came from, if it was replayed from another server
 */
public record PreparedTransaction(
    int xid,
    int dbOid,
    int owner,
    Instant time,
    String gid,
    List<Integer> subtransactions,
    List<RelFileLocator> droppedAtCommit,
    List<RelFileLocator> droppedAtAbort,
    List<DroppedStatistics> statisticsAtCommit,
    List<DroppedStatistics> statisticsAtAbort,
    List<Invalidation> invalidations,
    boolean dropsInitFile,
    Optional<TransactionEnd.Origin> origin) {
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
    boolean hasStatistics = record.writtenBy().isAtLeast(WalVersion.V15);
    final int statisticsAtCommit = hasStatistics ? data.integer() : 0;
    final int statisticsAtAbort = hasStatistics ? data.integer() : 0;
    final int invalidations = data.integer();
    int flagAndLength = data.integer();
    int gidBytes = flagAndLength >>> 16;
    final boolean dropsInitFile = (flagAndLength & 0xFF) != 0;
    data.align();
    final Lsn originLsn = new Lsn(data.bigInteger());
    final Instant originTime = data.time();
    if (gidBytes > TransactionEnd.MAX_GID_BYTES) {
      throw record.wrong("a transaction's name of " + gidBytes + " bytes");
    }
    final String gid = data.string(gidBytes);
    data.align();
    final List<Integer> children = data.integers(subtransactions);
    data.align();
    final List<RelFileLocator> droppedAtCommit = data.relations(atCommit);
    data.align();
    final List<RelFileLocator> droppedAtAbort = data.relations(atAbort);
    data.align();
    final List<DroppedStatistics> goneAtCommit = data.statistics(statisticsAtCommit);
    data.align();
    final List<DroppedStatistics> goneAtAbort = data.statistics(statisticsAtAbort);
    data.align();
    int origin = record.replicationOrigin();
    return new PreparedTransaction(
        xid,
        dbOid,
        owner,
        time,
        gid,
        children,
        droppedAtCommit,
        droppedAtAbort,
        goneAtCommit,
        goneAtAbort,
        data.invalidations(invalidations),
        dropsInitFile,
        origin == 0
            ? Optional.empty()
            : Optional.of(new TransactionEnd.Origin(origin, originLsn, originTime)));
  }
}
