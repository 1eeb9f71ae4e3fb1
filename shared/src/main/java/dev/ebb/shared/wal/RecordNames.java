package dev.ebb.shared.wal;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/**
 * The names of records: the {@code _identify} functions of {@code src/backend/access/rmgrdesc/},
 * and the numbers in the resource managers' own headers ({@code heapam_xlog.h}, {@code nbtxlog.h},
 * ...). A table says the names of the operations 0x00, 0x10, ... 0xF0, with - for none.
 */
final class RecordNames {
  private static final int OPERATIONS = 16;

  /** {@code XLOG_HEAP_INIT_PAGE} and {@code XLOG_BRIN_INIT_PAGE}, as an operation's number. */
  private static final int INIT_PAGE = 8;

  private static final String[] UNKNOWN = new String[OPERATIONS];
  private static final Map<WalVersion, String[][]> BY_VERSION = new EnumMap<>(WalVersion.class);

  static {
    for (int i = 0; i < OPERATIONS; i++) {
      UNKNOWN[i] = String.format("UNKNOWN (%x)", i << 4);
    }
    for (WalVersion version : WalVersion.values()) {
      BY_VERSION.put(version, tablesOf(version));
    }
  }

  private RecordNames() {}

  static String of(WalVersion version, int manager, int info) {
    String[][] tables = Objects.requireNonNull(BY_VERSION.get(version));
    String[] names = manager >= 0 && manager < tables.length ? tables[manager] : UNKNOWN;
    return names[info >> 4];
  }

  private static String[][] tablesOf(WalVersion version) {
    ResourceManager[] managers = ResourceManager.values();
    var tables = new String[managers.length][];
    for (ResourceManager manager : managers) {
      tables[manager.id()] = tableOf(manager, version);
    }
    return tables;
  }

  private static String[] tableOf(ResourceManager manager, WalVersion version) {
    return switch (manager) {
      case XLOG -> xlog(version);
      case TRANSACTION -> transaction();
      case STORAGE -> table("- CREATE TRUNCATE");
      case CLOG, COMMIT_TS -> table("ZEROPAGE TRUNCATE");
      case DATABASE ->
          table(
              version.isAtLeast(WalVersion.V15)
                  ? "CREATE_FILE_COPY CREATE_WAL_LOG DROP"
                  : "CREATE DROP");
      case TABLESPACE -> table("CREATE DROP");
      case MULTI_XACT -> table("ZERO_OFF_PAGE ZERO_MEM_PAGE CREATE_ID TRUNCATE_ID");
      case REL_MAP -> table("UPDATE");
      case STANDBY -> table("LOCK RUNNING_XACTS INVALIDATIONS");
      case HEAP2 -> heap2(version);
      case HEAP -> heap();
      case BTREE ->
          table(
              "INSERT_LEAF INSERT_UPPER INSERT_META SPLIT_L SPLIT_R INSERT_POST DEDUP DELETE"
                  + " UNLINK_PAGE UNLINK_PAGE_META NEWROOT MARK_PAGE_HALFDEAD VACUUM REUSE_PAGE"
                  + " META_CLEANUP");
      case HASH ->
          table(
              "INIT_META_PAGE INIT_BITMAP_PAGE INSERT ADD_OVFL_PAGE SPLIT_ALLOCATE_PAGE SPLIT_PAGE"
                  + " SPLIT_COMPLETE MOVE_PAGE_CONTENTS SQUEEZE_PAGE DELETE SPLIT_CLEANUP"
                  + " UPDATE_META_PAGE VACUUM_ONE_PAGE");
      case GIN ->
          table(
              "- CREATE_PTREE INSERT SPLIT VACUUM_PAGE DELETE_PAGE UPDATE_META_PAGE INSERT_LISTPAGE"
                  + " DELETE_LISTPAGE VACUUM_DATA_LEAF_PAGE");
      case GIST -> table("PAGE_UPDATE DELETE PAGE_REUSE PAGE_SPLIT - - PAGE_DELETE ASSIGN_LSN");
      case SEQUENCE -> table("LOG");
      case SPGIST ->
          table(
              "- ADD_LEAF MOVE_LEAFS ADD_NODE SPLIT_TUPLE PICKSPLIT VACUUM_LEAF VACUUM_ROOT"
                  + " VACUUM_REDIRECT");
      case BRIN -> brin();
      case REPLICATION_ORIGIN -> table("SET DROP");
      case GENERIC -> generic();
      case LOGICAL_MESSAGE -> table("MESSAGE");
    };
  }

  private static String[] xlog(WalVersion version) {
    return table(
        "CHECKPOINT_SHUTDOWN CHECKPOINT_ONLINE NOOP NEXTOID SWITCH BACKUP_END PARAMETER_CHANGE"
            + " RESTORE_POINT FPW_CHANGE END_OF_RECOVERY FPI_FOR_HINT FPI - OVERWRITE_CONTRECORD"
            + (version.isAtLeast(WalVersion.V17) ? " CHECKPOINT_REDO" : ""));
  }

  /** The highest bit says that there is more information ({@code XLOG_XACT_HAS_INFO}). */
  private static String[] transaction() {
    String[] names =
        table("COMMIT PREPARE ABORT COMMIT_PREPARED ABORT_PREPARED ASSIGNMENT INVALIDATION");
    for (int i = 0; i < OPERATIONS / 2 - 1; i++) {
      names[i + OPERATIONS / 2] = names[i];
    }
    return names;
  }

  private static String[] heap() {
    String[] names = table("INSERT DELETE UPDATE TRUNCATE HOT_UPDATE HEAP_CONFIRM LOCK INPLACE");
    addInit(names, 0, 2, 4);
    return names;
  }

  private static String[] heap2(WalVersion version) {
    String[] names =
        table(
            "REWRITE "
                + (version.isAtLeast(WalVersion.V17)
                    ? "PRUNE_ON_ACCESS PRUNE_VACUUM_SCAN PRUNE_VACUUM_CLEANUP"
                    : "PRUNE VACUUM FREEZE_PAGE")
                + " VISIBLE MULTI_INSERT LOCK_UPDATED NEW_CID");
    addInit(names, 5);
    return names;
  }

  private static String[] brin() {
    String[] names = table("CREATE_INDEX INSERT UPDATE SAMEPAGE_UPDATE REVMAP_EXTEND DESUMMARIZE");
    addInit(names, 1, 2);
    return names;
  }

  private static void addInit(String[] names, int... operations) {
    for (int operation : operations) {
      names[operation + INIT_PAGE] = names[operation] + "+INIT";
    }
  }

  private static String[] generic() {
    String[] names = new String[OPERATIONS];
    Arrays.fill(names, "Generic");
    return names;
  }

  private static String[] table(String text) {
    String[] names = UNKNOWN.clone();
    int operation = 0;
    for (String name : text.split(" ", -1)) {
      if (!name.equals("-")) {
        names[operation] = name;
      }
      operation++;
    }
    return names;
  }
}
