package dev.ebb.shared.wal;

/**
 * An entry of the cumulative statistics that goes away ({@code xl_xact_stats_item} of {@code
 * src/include/access/xact.h}), since 15.
 *
 * @param kind {@code PgStat_Kind}
 * @param dbOid the database, unsigned
 * @param object the object's number; one of 64 bits, unsigned, since 18
 */
public record DroppedStatistics(int kind, int dbOid, long object) {
  /** As {@code xact_desc_stats} of {@code xactdesc.c} prints it. */
  @Override
  public String toString() {
    return kind + "/" + Integer.toUnsignedString(dbOid) + "/" + Long.toUnsignedString(object);
  }
}
