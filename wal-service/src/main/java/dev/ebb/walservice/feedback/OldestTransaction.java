package dev.ebb.walservice.feedback;

/** Full transaction ids: the epoch in the upper half, unsigned; 0 for none. */
final class OldestTransaction {
  static final long NONE = 0;

  /** {@code FirstNormalTransactionId} in {@code transam.h}. */
  private static final long FIRST_NORMAL = 3;

  private static final long XID = 0xFFFF_FFFFL;

  private OldestTransaction() {}

  /** None for what PostgreSQL takes for none. */
  static long normal(long transaction) {
    return (transaction & XID) < FIRST_NORMAL ? NONE : transaction;
  }

  static long min(long one, long other) {
    if (one == NONE || other == NONE) {
      return one == NONE ? other : one;
    }
    return Long.compareUnsigned(one, other) <= 0 ? one : other;
  }
}
