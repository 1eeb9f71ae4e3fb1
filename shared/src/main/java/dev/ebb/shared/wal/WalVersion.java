package dev.ebb.shared.wal;

import org.jspecify.annotations.Nullable;

/**
 * The major version of PostgreSQL that wrote the WAL, as the magic number of each page tells it
 * ({@code XLOG_PAGE_MAGIC} of {@code src/include/access/xlog_internal.h}).
 */
public enum WalVersion {
  V14(14, 0xD10D, 202107181),
  V15(15, 0xD110, 202209061),
  V16(16, 0xD113, 202307071),
  V17(17, 0xD116, 202406281),
  V18(18, 0xD118, 202506291);

  private static final WalVersion[] ALL = values();

  private final int major;
  private final int pageMagic;
  private final int catalog;

  WalVersion(int major, int pageMagic, int catalog) {
    this.major = major;
    this.pageMagic = pageMagic;
    this.catalog = catalog;
  }

  /** PostgreSQL's major version, such as 18. */
  public int major() {
    return major;
  }

  /** What each page of its WAL begins with. */
  public int pageMagic() {
    return pageMagic;
  }

  /**
   * The version of its system catalogs, which is in the names of tablespaces' directories ({@code
   * CATALOG_VERSION_NO} of {@code src/include/catalog/catversion.h}).
   */
  public int catalog() {
    return catalog;
  }

  /** Whether it is this one or a later one. */
  public boolean isAtLeast(WalVersion other) {
    return compareTo(other) >= 0;
  }

  /**
   * The version with this major number.
   *
   * @throws IllegalArgumentException for one outside 14 to 18
   */
  public static WalVersion ofMajor(int major) {
    for (WalVersion version : ALL) {
      if (version.major == major) {
        return version;
      }
    }
    throw new IllegalArgumentException("PostgreSQL " + major + " is not one of 14 to 18");
  }

  static @Nullable WalVersion ofPageMagic(int magic) {
    for (WalVersion version : ALL) {
      if (version.pageMagic == magic) {
        return version;
      }
    }
    return null;
  }
}
