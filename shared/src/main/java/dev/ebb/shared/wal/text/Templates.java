package dev.ebb.shared.wal.text;

import static dev.ebb.shared.wal.WalVersion.V15;
import static dev.ebb.shared.wal.WalVersion.V16;
import static dev.ebb.shared.wal.WalVersion.V17;
import static dev.ebb.shared.wal.WalVersion.V18;

import dev.ebb.shared.wal.ResourceManager;
import dev.ebb.shared.wal.WalVersion;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What is told of the records of each version, by resource manager and operation. */
final class Templates {
  private static final Map<WalVersion, @Nullable Template[][]> BY_VERSION =
      new EnumMap<>(WalVersion.class);

  static {
    ResourceManager[] managers = ResourceManager.values();
    for (WalVersion version : WalVersion.values()) {
      var tables = new @Nullable Template[managers.length][];
      for (ResourceManager manager : managers) {
        tables[manager.id()] = of(manager, version).templates;
      }
      BY_VERSION.put(version, tables);
    }
  }

  private Templates() {}

  /** Null where nothing is told. */
  static @Nullable Template of(WalVersion version, int manager, int operation) {
    @Nullable Template[][] tables = Objects.requireNonNull(BY_VERSION.get(version));
    return manager < tables.length ? tables[manager][operation >> 4] : null;
  }

  /** Of one resource manager. */
  private static final class Table {
    private final @Nullable Template[] templates = new @Nullable Template[16];

    Table on(int operation, String template) {
      templates[operation >> 4] = Template.parse(template);
      return this;
    }

    /** Of those whose highest bit tells something else. */
    Table on7(int operation, String template) {
      return on(operation, template).on(operation | 0x80, template);
    }
  }

  private static Table of(ResourceManager manager, WalVersion version) {
    return switch (manager) {
      case XLOG -> xlog(version);
      case TRANSACTION ->
          new Table()
              .on7(0x00, "{commit}")
              .on7(0x10, "{prepare}")
              .on7(0x20, "{abort}")
              .on7(0x30, "{commit}")
              .on7(0x40, "{abort}")
              .on7(0x50, "{assignment}")
              .on7(0x60, "{invalidated}");
      case STORAGE ->
          new Table().on(0x10, "{fork 0}").on(0x20, "{file 4} to {u4 0} blocks flags {d4 16}");
      case CLOG ->
          version.isAtLeast(V17)
              ? new Table().on(0x00, "page {d8 0}").on(0x10, "page {d8 0}; oldestXact {u4 8}")
              : new Table().on(0x00, "page {d4 0}").on(0x10, "page {d4 0}; oldestXact {u4 4}");
      case DATABASE -> database(version);
      case TABLESPACE -> new Table().on(0x00, "{u4 0} \"{text 4}\"").on(0x10, "{u4 0}");
      case MULTI_XACT -> multiXact(version.isAtLeast(V17) ? "{d8 0}" : "{d4 0}");
      case REL_MAP -> new Table().on(0x00, "database {u4 0} tablespace {u4 4} size {d4 8}");
      case STANDBY ->
          new Table()
              .on(0x00, "{locks}")
              .on(
                  0x10,
                  "nextXid {u4 12} latestCompletedXid {u4 20} oldestRunningXid {u4 16}{running}")
              .on(0x20, "{invalidations 0}");
      case HEAP2 ->
          version.isAtLeast(V17) ? heap2() : version.isAtLeast(V16) ? heap2of16() : heap2old();
      case HEAP -> version.isAtLeast(V16) ? heap(version) : heapOld();
      case BTREE -> version.isAtLeast(V16) ? btree(version) : btreeOld();
      case HASH -> hash(version);
      case GIN ->
          new Table()
              .on(0x20, "{gininsert}")
              .on(0x30, "isrootsplit: {bit 24 4} isdata: {bit 24 1} isleaf: {bit 24 2}")
              .on(0x80, "ndeleted: {d4 56}")
              .on(0x90, "{ginvacuum}");
      case GIST -> gist(version);
      case SEQUENCE -> new Table().on(0x00, "rel {relation 0}");
      case SPGIST -> spgist(version);
      case BRIN -> brin();
      case COMMIT_TS ->
          version.isAtLeast(V17)
              ? new Table().on(0x00, "{d8 0}").on(0x10, "pageno {d8 0}, oldestXid {u4 8}")
              : new Table().on(0x00, "{d4 0}").on(0x10, "pageno {d4 0}, oldestXid {u4 4}");
      case REPLICATION_ORIGIN ->
          new Table().on(0x00, "set {u2 8}; lsn {lsn 0}; force: {u1 10}").on(0x10, "drop {u2 0}");
      case GENERIC -> {
        var table = new Table();
        for (int operation = 0; operation <= 0xF0; operation += 0x10) {
          table.on(operation, "{regions}");
        }
        yield table;
      }
      case LOGICAL_MESSAGE -> new Table().on(0x00, "{message}");
    };
  }

  private static Table xlog(WalVersion version) {
    boolean levels = version.isAtLeast(V17);
    String checkpoint =
        "redo {lsn 0}; tli {u4 8}; prev tli {u4 12}; fpw {bool 16 true false};"
            + (levels ? " wal_level {level 20};" : "")
            + " xid {full 24}; oid {u4 32}; multi {u4 36}; offset {u4 40};"
            + " oldest xid {u4 44} in DB {u4 48}; oldest multi {u4 52} in DB {u4 56};"
            + " oldest/newest commit timestamp xid: {u4 72}/{u4 76};"
            + " oldest running xid {u4 80}; ";
    var table =
        new Table()
            .on(0x00, checkpoint + "shutdown")
            .on(0x10, checkpoint + "online")
            .on(0x30, "{u4 0}")
            .on(0x50, "{lsn 0}")
            .on(
                0x60,
                "max_connections={d4 0} max_worker_processes={d4 4} max_wal_senders={d4 8}"
                    + " max_prepared_xacts={d4 12} max_locks_per_xact={d4 16} wal_level={level 20}"
                    + " wal_log_hints={bool 24 on off} track_commit_timestamp={bool 25 on off}")
            .on(0x70, "{text 8}")
            .on(0x80, "{bool 0 true false}")
            .on(
                0x90,
                "tli {u4 8}; prev tli {u4 12}; time {time 0}"
                    + (levels ? "; wal_level {level 16}" : ""))
            .on(0xD0, "lsn {lsn 0}; time {time 8}");
    return levels ? table.on(0xE0, "wal_level {level 0}") : table;
  }

  private static Table database(WalVersion version) {
    var table = new Table().on(0x00, "copy dir {u4 12}/{u4 8} to {u4 4}/{u4 0}");
    return version.isAtLeast(V15)
        ? table.on(0x10, "create dir {u4 4}/{u4 0}").on(0x20, "dir{databases}")
        : table.on(0x10, "dir{databases}");
  }

  private static Table multiXact(String page) {
    return new Table()
        .on(0x00, page)
        .on(0x10, page)
        .on(0x20, "{u4 0} offset {u4 4} nmembers {d4 8}: {members}")
        .on(0x30, "offsets [{u4 4}, {u4 8}), members [{u4 12}, {u4 16})");
  }

  private static Table heap(WalVersion version) {
    String update =
        "old_xmax: {u4 0}, old_off: {u2 4}, old_infobits: {infobits 6}, flags: 0x{x1 7},"
            + " new_xmax: {u4 8}, new_off: {u2 12}";
    String lock = "xmax: {u4 0}, off: {u2 4}, infobits: {infobits 6}, flags: 0x{x1 7}";
    return new Table()
        .on7(0x00, "off: {u2 0}, flags: 0x{x1 2}")
        .on7(0x10, lock)
        .on7(0x20, update)
        .on7(0x30, "flags: {truncate 8}, nrelids: {u4 4}, relids: {list 4 12}")
        .on7(0x40, update)
        .on7(0x50, "off: {u2 0}")
        .on7(0x60, lock)
        .on7(0x70, version.isAtLeast(V18) ? "off: {u2 0}{invalidations 4}" : "off: {u2 0}");
  }

  private static Table heapOld() {
    String update =
        "off {u2 4} xmax {u4 0} flags 0x{x1 7} {oldinfobits 6}; new off {u2 12} xmax {u4 8}";
    return new Table()
        .on7(0x00, "off {u2 0} flags 0x{x1 2}")
        .on7(0x10, "off {u2 4} flags 0x{x1 7} {oldinfobits 6}")
        .on7(0x20, update)
        .on7(0x30, "{oldtruncate}")
        .on7(0x40, update)
        .on7(0x50, "off {u2 0}")
        .on7(0x60, "off {u2 4}: xid {u4 0}: flags 0x{x1 7} {oldinfobits 6}")
        .on7(0x70, "off {u2 0}");
  }

  private static Table heap2of16() {
    return heap2since16()
        .on7(0x10, "snapshotConflictHorizon: {u4 0}, nredirected: {u2 4}, ndead: {u2 6}{prune16}")
        .on7(0x20, "nunused: {u2 0}{vacuum16}")
        .on7(0x30, "snapshotConflictHorizon: {u4 0}, nplans: {u2 4}{freeze16}");
  }

  private static Table heap2() {
    return heap2since16().on7(0x10, "{prune17}").on7(0x20, "{prune17}").on7(0x30, "{prune17}");
  }

  private static Table heap2since16() {
    return new Table()
        .on7(0x40, "snapshotConflictHorizon: {u4 0}, flags: 0x{x1 4}")
        .on7(0x50, "ntuples: {u2 2}, flags: 0x{x1 0}{inserted}")
        .on7(0x60, "xmax: {u4 0}, off: {u2 4}, infobits: {infobits 6}, flags: 0x{x1 7}")
        .on7(
            0x70,
            "rel: {relation 16}, tid: {tuple 28}, cmin: {u4 4}, cmax: {u4 8}, combo: {u4 12}");
  }

  private static Table heap2old() {
    return new Table()
        .on7(0x10, "latestRemovedXid {u4 0} nredirected {u2 4} ndead {u2 6}")
        .on7(0x20, "nunused {u2 0}")
        .on7(0x30, "cutoff xid {u4 0} ntuples {u2 4}")
        .on7(0x40, "cutoff xid {u4 0} flags 0x{x1 4}")
        .on7(0x50, "{u2 2} tuples flags 0x{x1 0}")
        .on7(0x60, "off {u2 4}: xmax {u4 0}: flags 0x{x1 7} {oldinfobits 6}")
        .on7(0x70, "rel {relation 16}; tid {tuple 28}; cmin: {u4 4}, cmax: {u4 8}, combo: {u4 12}");
  }

  private static Table btree(WalVersion version) {
    String unlink =
        "left: {u4 0}, right: {u4 4}, level: {u4 8}, safexid: {full 16}, leafleft: {u4 24},"
            + " leafright: {u4 28}, leaftopparent: {u4 32}";
    boolean catalog = version.isAtLeast(V17);
    return btreeInserts("off: {u2 0}")
        .on(0x30, "level: {u4 0}, firstrightoff: {u2 4}, newitemoff: {u2 6}, postingoff: {u2 8}")
        .on(0x40, "level: {u4 0}, firstrightoff: {u2 4}, newitemoff: {u2 6}, postingoff: {u2 8}")
        .on(0x60, "nintervals: {u2 0}")
        .on(
            0x70,
            "snapshotConflictHorizon: {u4 0}, ndeleted: {u2 4}, nupdated: {u2 6}"
                + (catalog ? ", isCatalogRel: {bool 8 T F}" : "")
                + "{btdeleted 4}")
        .on(0x80, unlink)
        .on(0x90, unlink)
        .on(0xA0, "level: {u4 4}")
        .on(0xB0, "topparent: {u4 16}, leaf: {u4 4}, left: {u4 8}, right: {u4 12}")
        .on(0xC0, "ndeleted: {u2 0}, nupdated: {u2 2}{btdeleted 0}")
        .on(
            0xD0,
            "rel: {relation 0}, snapshotConflictHorizon: {full 16}"
                + (catalog ? ", isCatalogRel: {bool 24 T F}" : ""))
        .on(0xE0, "last_cleanup_num_delpages: {btcleanup}");
  }

  private static Table btreeOld() {
    String unlink =
        "left {u4 0}; right {u4 4}; level {u4 8}; safexid {full 16}; leafleft {u4 24};"
            + " leafright {u4 28}; leaftopparent {u4 32}";
    return btreeInserts("off {u2 0}")
        .on(0x30, "level {u4 0}, firstrightoff {u2 4}, newitemoff {u2 6}, postingoff {u2 8}")
        .on(0x40, "level {u4 0}, firstrightoff {u2 4}, newitemoff {u2 6}, postingoff {u2 8}")
        .on(0x60, "nintervals {u2 0}")
        .on(0x70, "latestRemovedXid {u4 0}; ndeleted {u2 4}; nupdated {u2 6}")
        .on(0x80, unlink)
        .on(0x90, unlink)
        .on(0xA0, "lev {u4 4}")
        .on(0xB0, "topparent {u4 16}; leaf {u4 4}; left {u4 8}; right {u4 12}")
        .on(0xC0, "ndeleted {u2 0}; nupdated {u2 2}")
        .on(0xD0, "rel {relation 0}; latestRemovedXid {full 16}")
        .on(0xE0, "last_cleanup_num_delpages {btcleanup}");
  }

  private static Table btreeInserts(String insert) {
    return new Table().on(0x00, insert).on(0x10, insert).on(0x20, insert).on(0x50, insert);
  }

  private static Table hash(WalVersion version) {
    return new Table()
        .on(0x00, "num_tuples {g 0}, fillfactor {u2 12}")
        .on(0x10, "bmsize {u2 0}")
        .on(0x20, "off {u2 0}")
        .on(0x30, "bmsize {u2 0}, bmpage_found {bool 2 T F}")
        .on(
            0x40,
            "new_bucket {u4 0}, meta_page_masks_updated {bit 8 1}, issplitpoint_changed {bit 8 2}")
        .on(0x60, "old_bucket_flag {u2 0}, new_bucket_flag {u2 2}")
        .on(0x70, "ntups {u2 0}, is_primary {bool 2 T F}")
        .on(0x80, "prevblkno {u4 0}, nextblkno {u4 4}, ntups {u2 8}, is_primary {bool 10 T F}")
        .on(0x90, "clear_dead_marking {bool 0 T F}, is_primary {bool 1 T F}")
        .on(0xB0, "ntuples {g 0}")
        .on(
            0xC0,
            version.isAtLeast(V17)
                ? "ntuples {u2 4}, snapshotConflictHorizon {u4 0}, isCatalogRel {bool 6 T F}"
                : version.isAtLeast(V16)
                    ? "ntuples {u2 4}, snapshotConflictHorizon {u4 0}"
                    : "ntuples {d4 4}, latestRemovedXid {u4 0}");
  }

  private static Table gist(WalVersion version) {
    String horizon = version.isAtLeast(V16) ? "snapshotConflictHorizon" : "latestRemovedXid";
    boolean catalog = version.isAtLeast(V17);
    return new Table()
        .on(
            0x10,
            "delete: "
                + horizon
                + " {u4 0}, nitems: {u2 4}"
                + (catalog ? ", isCatalogRel {bool 6 T F}" : ""))
        .on(
            0x20,
            "rel {relation 0}; blk {u4 12}; "
                + horizon
                + " {full 16}"
                + (catalog ? ", isCatalogRel {bool 24 T F}" : ""))
        .on(0x30, "page_split: splits to {u2 18} pages")
        .on(0x60, "deleteXid {full 0}; downlink {u2 8}");
  }

  private static Table spgist(WalVersion version) {
    return new Table()
        .on(
            0x10,
            "off: {u2 2}, headoff: {u2 4}, parentoff: {u2 6}, nodeI: {u2 8}"
                + "{if 0 newpage}{if 1 nulls}")
        .on(
            0x20,
            "nmoves: {u2 0}, parentoff: {u2 6}, nodeI: {u2 8}"
                + "{if 2 newpage}{if 3 replacedead}{if 4 nulls}")
        .on(
            0x30,
            "off: {u2 0}, newoff: {u2 2}, parentBlk: {d1 5}, parentoff: {u2 6}, nodeI: {u2 8}"
                + "{if 4 newpage}")
        .on(0x40, "prefixoff: {u2 0}, postfixoff: {u2 2}{if 4 newpage}{if 5 same}")
        .on(
            0x50,
            "ndelete: {u2 2}, ninsert: {u2 4}, inneroff: {u2 8}, parentoff: {u2 14}, nodeI: {u2 16}"
                + "{if 12 innerIsParent}{if 11 nulls}{if 0 isRootSplit}")
        .on(0x60, "ndead: {u2 0}, nplaceholder: {u2 2}, nmove: {u2 4}, nchain: {u2 6}")
        .on(0x70, "ndelete: {u2 0}")
        .on(
            0x80,
            "ntoplaceholder: {u2 0}, firstplaceholder: {u2 2}, "
                + (version.isAtLeast(V16) ? "snapshotConflictHorizon" : "newestredirectxid")
                + ": {u4 4}"
                + (version.isAtLeast(V17) ? ", isCatalogRel: {bool 8 T F}" : ""));
  }

  private static Table brin() {
    return new Table()
        .on7(0x00, "v{u2 4} pagesPerRange {u4 0}")
        .on7(0x10, "heapBlk {u4 0} pagesPerRange {u4 4} offnum {u2 8}")
        .on7(0x20, "heapBlk {u4 4} pagesPerRange {u4 8} old offnum {u2 0}, new offnum {u2 12}")
        .on7(0x30, "offnum {u2 0}")
        .on7(0x40, "targetBlk {u4 0}")
        .on7(0x50, "pagesPerRange {u4 0}, heapBlk {u4 4}, page offset {u2 8}");
  }
}
