package dev.ebb.gateway.console;

/** PostgreSQL's types that columns have; {@code pg_type.dat}. */
enum ColumnType {
  TEXT(25, -1),
  BIGINT(20, 8),
  BOOLEAN(16, 1);

  private final int oid;
  private final int size;

  ColumnType(int oid, int size) {
    this.oid = oid;
    this.size = size;
  }

  int oid() {
    return oid;
  }

  /** In bytes; -1: it varies. */
  int size() {
    return size;
  }
}
