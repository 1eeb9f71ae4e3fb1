package dev.ebb.shared.wal;

import org.jspecify.annotations.Nullable;

/**
 * The built-in resource managers, whose numbers and names are the same in versions 14 to 18 ({@code
 * src/include/access/rmgrlist.h}). Extensions may have further ones since 15, with numbers from 128
 * on.
 */
public enum ResourceManager {
  XLOG("XLOG"),
  TRANSACTION("Transaction"),
  STORAGE("Storage"),
  CLOG("CLOG"),
  DATABASE("Database"),
  TABLESPACE("Tablespace"),
  MULTI_XACT("MultiXact"),
  REL_MAP("RelMap"),
  STANDBY("Standby"),
  HEAP2("Heap2"),
  HEAP("Heap"),
  BTREE("Btree"),
  HASH("Hash"),
  GIN("Gin"),
  GIST("Gist"),
  SEQUENCE("Sequence"),
  SPGIST("SPGist"),
  BRIN("BRIN"),
  COMMIT_TS("CommitTs"),
  REPLICATION_ORIGIN("ReplicationOrigin"),
  GENERIC("Generic"),
  LOGICAL_MESSAGE("LogicalMessage");

  /** {@code RM_MIN_CUSTOM_ID}. */
  public static final int MIN_CUSTOM_ID = 128;

  private static final ResourceManager[] ALL = values();
  private static final String[] CUSTOM = new String[256 - MIN_CUSTOM_ID];

  static {
    for (int i = 0; i < CUSTOM.length; i++) {
      CUSTOM[i] = "custom" + (MIN_CUSTOM_ID + i);
    }
  }

  private final String text;

  ResourceManager(String text) {
    this.text = text;
  }

  /** {@code xl_rmid}. */
  public int id() {
    return ordinal();
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

  static boolean isValid(int id, WalVersion version) {
    return id < ALL.length || (id >= MIN_CUSTOM_ID && version.isAtLeast(WalVersion.V15));
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
