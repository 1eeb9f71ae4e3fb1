package dev.ebb.shared.wal;

/**
 * A relation by the files that it has now ({@code src/include/storage/relfilelocator.h}; {@code
 * RelFileNode} before 16). The numbers are unsigned.
 *
 * @param spcOid its tablespace
 * @param dbOid its database, 0 for a shared relation
 * @param relNumber what its files are named
 */
public record RelFileLocator(int spcOid, int dbOid, int relNumber) {
  /** As {@code pg_waldump} prints it: {@code 1663/5/16384}. */
  @Override
  public String toString() {
    return Integer.toUnsignedString(spcOid)
        + '/'
        + Integer.toUnsignedString(dbOid)
        + '/'
        + Integer.toUnsignedString(relNumber);
  }
}
