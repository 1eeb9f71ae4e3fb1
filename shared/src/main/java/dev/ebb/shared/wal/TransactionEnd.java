package dev.ebb.shared.wal;

import dev.ebb.shared.model.Lsn;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What a record says with which a transaction committed or aborted. Layout: {@code
 * src/include/access/xact.h} ({@code xl_xact_commit}, {@code xl_xact_abort} and what follows them),
 * order of the parts as in {@code ParseCommitRecord} and {@code ParseAbortRecord} of {@code
 * src/backend/access/rmgrdesc/xactdesc.c}.
 *
 * @param committed whether it committed; it aborted otherwise
 * @param xid which transaction: of a prepared one, that one and not the one that ends it
 * @param time when, by the server's clock, in microseconds
 * @param dbOid the database it was in; 0 where the record does not say
 * @param spcOid that database's tablespace
 * @param subtransactions those that ended with it, as far as the record names them; unsigned
 * @param droppedRelations whose files go away with it
 * @param droppedStatistics entries of statistics that go away with it, since 15
 * @param invalidations tell others to forget what they cached
 * @param dropsInitFile whether they are to forget the file of cached relations, too
 * @param appliesFeedback whether the commit waited until standbys had applied it
 * @param forcesSync whether standbys are to flush at once
 * @param prepared whether it had been prepared before
 * @param gid what a prepared transaction was called; empty for others, and where the record does
 *     not say because {@code wal_level} was below logical
 * @param origin where it came from, if it was replayed from another server
 */
public record TransactionEnd(
    boolean committed,
    int xid,
    Instant time,
    int dbOid,
    int spcOid,
    List<Integer> subtransactions,
    List<RelFileLocator> droppedRelations,
    List<DroppedStatistics> droppedStatistics,
    List<Invalidation> invalidations,
    boolean dropsInitFile,
    boolean appliesFeedback,
    boolean forcesSync,
    boolean prepared,
    String gid,
    Optional<Origin> origin) {
  private static final int COMMIT = 0x00;
  private static final int ABORT = 0x20;
  private static final int COMMIT_PREPARED = 0x30;
  private static final int ABORT_PREPARED = 0x40;
  private static final int OPERATION = 0x70;
  private static final int HAS_INFO = 0x80;

  private static final int HAS_DBINFO = 1;
  private static final int HAS_SUBXACTS = 1 << 1;
  private static final int HAS_RELATIONS = 1 << 2;
  private static final int HAS_INVALS = 1 << 3;
  private static final int HAS_TWOPHASE = 1 << 4;
  private static final int HAS_ORIGIN = 1 << 5;
  private static final int HAS_GID = 1 << 7;
  private static final int HAS_DROPPED_STATS = 1 << 8;

  private static final int APPLIES_FEEDBACK = 1 << 29;
  private static final int DROPS_INIT_FILE = 1 << 30;
  private static final int FORCES_SYNC = 1 << 31;

  /** {@code GIDSIZE}. */
  static final int MAX_GID_BYTES = 200;

  /**
   * Another server's transaction.
   *
   * @param id the replication origin, as the record's header names it
   */
  public record Origin(int id, Lsn lsn, Instant time) {}

  /** Whether the record is one of these. */
  public static boolean is(WalRecord record) {
    if (record.resourceManager() != ResourceManager.TRANSACTION.id()) {
      return false;
    }
    return switch (record.info() & OPERATION) {
      case COMMIT, ABORT, COMMIT_PREPARED, ABORT_PREPARED -> true;
      default -> false;
    };
  }

  /** When the transaction ended, without reading what else the record says. */
  public static Instant timeOf(WalRecord record) throws WalException {
    check(record);
    return MainData.instant(record.mainLong(0));
  }

  private static void check(WalRecord record) {
    if (!is(record)) {
      throw new IllegalArgumentException(
          "no transaction ends with the record at " + record.start());
    }
  }

  /**
   * Reads such a record.
   *
   * @throws IllegalArgumentException where it is none
   */
  public static TransactionEnd of(WalRecord record) throws WalException {
    check(record);
    int operation = record.info() & OPERATION;
    var data = new MainData(record);
    final Instant time = data.time();
    final int has = (record.info() & HAS_INFO) != 0 ? data.integer() : 0;
    int dbOid = 0;
    int spcOid = 0;
    if ((has & HAS_DBINFO) != 0) {
      dbOid = data.integer();
      spcOid = data.integer();
    }
    List<Integer> subtransactions = List.of();
    if ((has & HAS_SUBXACTS) != 0) {
      subtransactions = data.integers(data.integer());
    }
    List<RelFileLocator> relations = List.of();
    if ((has & HAS_RELATIONS) != 0) {
      relations = data.relations(data.integer());
    }
    List<DroppedStatistics> statistics = List.of();
    if ((has & HAS_DROPPED_STATS) != 0) {
      statistics = data.statistics(data.integer());
    }
    List<Invalidation> invalidations = List.of();
    if ((has & HAS_INVALS) != 0) {
      invalidations = data.invalidations(data.integer());
    }
    int xid = record.xid();
    String gid = "";
    if ((has & HAS_TWOPHASE) != 0) {
      xid = data.integer();
      gid = (has & HAS_GID) != 0 ? data.string(MAX_GID_BYTES) : "";
    }
    Optional<Origin> origin = Optional.empty();
    if ((has & HAS_ORIGIN) != 0) {
      origin =
          Optional.of(
              new Origin(record.replicationOrigin(), new Lsn(data.bigInteger()), data.time()));
    }
    return new TransactionEnd(
        operation == COMMIT || operation == COMMIT_PREPARED,
        xid,
        time,
        dbOid,
        spcOid,
        subtransactions,
        relations,
        statistics,
        invalidations,
        (has & DROPS_INIT_FILE) != 0,
        (has & APPLIES_FEEDBACK) != 0,
        (has & FORCES_SYNC) != 0,
        operation == COMMIT_PREPARED || operation == ABORT_PREPARED,
        gid,
        origin);
  }
}
