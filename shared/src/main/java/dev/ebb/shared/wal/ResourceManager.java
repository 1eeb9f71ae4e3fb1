package dev.ebb.shared.wal;

import org.jspecify.annotations.Nullable;

/**
 * The built-in resource managers, whose numbers and names are the same in versions 14 to 18 ({@code
 * src/include/access/rmgrlist.h}). Extensions may have further ones since 15, with numbers from 128
 * on.
 */
public enum ResourceManager {
  XLOG(0, "XLOG"),
  TRANSACTION(1, "Transaction"),
  STORAGE(2, "Storage"),
  CLOG(3, "CLOG"),
  DATABASE(4, "Database"),
  TABLESPACE(5, "Tablespace"),
  MULTI_XACT(6, "MultiXact"),
  REL_MAP(7, "RelMap"),
  STANDBY(8, "Standby"),
  HEAP2(9, "Heap2"),
  HEAP(10, "Heap"),
  BTREE(11, "Btree"),
  HASH(12, "Hash"),
  GIN(13, "Gin"),
  GIST(14, "Gist"),
  SEQUENCE(15, "Sequence"),
  SPGIST(16, "SPGist"),
  BRIN(17, "BRIN"),
  COMMIT_TS(18, "CommitTs"),
  REPLICATION_ORIGIN(19, "ReplicationOrigin"),
  GENERIC(20, "Generic"),
  LOGICAL_MESSAGE(21, "LogicalMessage");

  /** {@code RM_MIN_CUSTOM_ID}. */
  public static final int MIN_CUSTOM_ID = 128;

  private static final ResourceManager[] ALL = values();
  private static final String[] CUSTOM = new String[256 - MIN_CUSTOM_ID];

  static {
    for (int i = 0; i < CUSTOM.length; i++) {
      CUSTOM[i] = "custom" + (MIN_CUSTOM_ID + i);
    }
  }

  private final int id;
  private final String text;

  ResourceManager(int id, String text) {
    this.id = id;
    this.text = text;
  }

  /** {@code xl_rmid}. */
  public int id() {
    return id;
  }

  /** As {@code pg_waldump --rmgr} takes it. */
  @Override
  public String toString() {
    return text;
  }

  /** The built-in one with this number; null where that is none. */
  public static @Nullable ResourceManager of(int id) {
    return id >= 0 && id < ALL.length ? ALL[id] : null;
  }

  /**
   * The one with this name, whatever the case of its letters; null where there is none. Names of
   * extensions' are not known here.
   */
  public static @Nullable ResourceManager named(String name) {
    for (ResourceManager manager : ALL) {
      if (manager.text.equalsIgnoreCase(name)) {
        return manager;
      }
    }
    return null;
  }

  static boolean isValid(int id, @Nullable WalVersion version) {
    return id < ALL.length
        || (id >= MIN_CUSTOM_ID && (version == null || version.isAtLeast(WalVersion.V15)));
  }

  /** How {@code pg_waldump} names a number: {@code Heap}, {@code custom128}. */
  public static String nameOf(int id) {
    if (id >= 0 && id < ALL.length) {
      return ALL[id].text;
    }
    return id >= MIN_CUSTOM_ID && id < 256 ? CUSTOM[id - MIN_CUSTOM_ID] : "rmgr" + id;
  }

  /**
   * How {@code pg_waldump} of that version names a record: {@code HOT_UPDATE}; {@code UNKNOWN (70)}
   * for what has no name there, and for those of extensions.
   *
   * @param info {@code xl_info}, whose lower four bits do not matter
   */
  public static String identify(WalVersion version, int id, int info) {
    return RecordNames.of(version, id, info & 0xFF);
  }
}
