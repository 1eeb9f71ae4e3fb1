package dev.ebb.shared.wal;

import java.util.List;

/**
 * A message that tells other processes to forget what they cached ({@code
 * SharedInvalidationMessage} of {@code src/include/storage/sinval.h}).
 *
 * @param kind the number of a catalog cache, or a negative one for other kinds
 * @param number whose cache, as far as the kind says: an oid, unsigned
 */
public record Invalidation(int kind, int number) {
  private static final int CATALOG = -1;
  private static final int RELATION = -2;
  private static final int STORAGE = -3;
  private static final int MAPPING = -4;
  private static final int SNAPSHOT = -5;

  /** Since 18. */
  private static final int SUBSCRIPTION = -6;

  /**
   * A list of them in a record's main data: their number (4 bytes), and they.
   *
   * @param at where it begins
   */
  public static List<Invalidation> in(WalRecord record, int at) throws WalException {
    var data = new MainData(record);
    data.skip(at);
    return data.invalidations(data.integer());
  }

  /** As {@code standby_desc_invalidations} of {@code standbydesc.c} prints it. */
  @Override
  public String toString() {
    if (kind >= 0) {
      return "catcache " + kind;
    }
    String whose = Integer.toUnsignedString(number);
    return switch (kind) {
      case CATALOG -> "catalog " + whose;
      case RELATION -> "relcache " + whose;
      case STORAGE -> "smgr";
      case MAPPING -> "relmap db " + whose;
      case SNAPSHOT -> "snapshot " + whose;
      case SUBSCRIPTION -> "relsync " + whose;
      default -> "unrecognized id " + kind;
    };
  }

  static Invalidation of(int kind, int second, int third) {
    return new Invalidation(kind, kind == MAPPING ? second : third);
  }
}
