package dev.ebb.computeservice.audit;

import dev.ebb.computeservice.postgres.WalStream;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.RelFileLocator;
import dev.ebb.shared.wal.TransactionEnd;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.shared.wal.WalVersion;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What the WAL says has been taken away: relations dropped by commits and aborts, blocks cut off,
 * databases dropped. Each of these records is inserted before the file changes ({@code xact.c},
 * {@code storage.c}); that of a database comes after its files, whose drop a capture therefore
 * keeps out of. Sources of the records' layout: {@code storage_xlog.h}, {@code dbcommands_xlog.h}.
 */
final class Removals {
  private static final int RM_XACT = 1;
  private static final int RM_SMGR = 2;
  private static final int RM_DATABASE = 4;

  private static final int SMGR_TRUNCATE = 0x20;
  private static final int TRUNCATE_HEAP = 1;
  private static final int TRUNCATE_VISIBILITY_MAP = 2;

  private static final int DATABASE_CREATE_FILE_COPY = 0x00;
  private static final int DATABASE_DROP = 0x20;

  /** 14 has no other way to make a database than to copy files, and numbers the two so. */
  private static final int DATABASE_DROP_14 = 0x10;

  private static final int FORK_MAIN = 0;
  private static final int FORK_VISIBILITY_MAP = 2;

  /** Of relations; 50 MB in memory. */
  private static final int MAX_NOTED = 1 << 20;

  private record Relation(int database, int relation) {}

  /**
   * @param blocks what was left
   */
  private record Cut(long lsn, int fork, int blocks) {}

  private final WalStream wal;
  private final int databaseDrop;
  private final Lsn redo;
  private final Map<Relation, Long> dropped = new HashMap<>();
  private final Map<Relation, List<Cut>> cuts = new HashMap<>();
  private final Map<Integer, Long> databases = new HashMap<>();
  private boolean copiedFiles;
  private long records;

  /**
   * Nothing yet.
   *
   * @param wal at the start of the range; nobody else reads it
   * @param version which PostgreSQL wrote it
   * @param redo the snapshot's
   */
  Removals(WalStream wal, WalVersion version, Lsn redo) {
    this.wal = wal;
    this.databaseDrop = version == WalVersion.V14 ? DATABASE_DROP_14 : DATABASE_DROP;
    this.redo = redo;
  }

  /** Reads on, up to a position that is flushed. */
  void readTo(Lsn end) throws IOException {
    wal.limit(end);
    while (wal.next()) {
      records++;
      try {
        note(wal.record());
      } catch (WalException e) {
        throw WalStream.corrupt(e);
      }
      if (dropped.size() + cuts.size() > MAX_NOTED) {
        throw new EbbException.Unavailable("too many relations are dropped in one snapshot's WAL");
      }
    }
  }

  private void note(WalRecord record) throws WalException {
    switch (record.resourceManager()) {
      case RM_XACT -> transaction(record);
      case RM_SMGR -> storage(record);
      case RM_DATABASE -> database(record);
      default -> {}
    }
  }

  private void transaction(WalRecord record) throws WalException {
    if (!TransactionEnd.is(record)) {
      return;
    }
    for (RelFileLocator relation : TransactionEnd.of(record).droppedRelations()) {
      dropped.put(new Relation(relation.dbOid(), relation.relNumber()), record.end().value());
    }
  }

  private void storage(WalRecord record) throws WalException {
    if (record.operation() != SMGR_TRUNCATE) {
      return;
    }
    int blocks = record.mainInt(0);
    var relation = new Relation(record.mainInt(8), record.mainInt(12));
    int forks = record.mainInt(16);
    List<Cut> of = cuts.computeIfAbsent(relation, r -> new ArrayList<>());
    if ((forks & TRUNCATE_HEAP) != 0) {
      note(of, new Cut(record.end().value(), FORK_MAIN, blocks));
    }
    if ((forks & TRUNCATE_VISIBILITY_MAP) != 0) {
      // Where it was cut follows from the heap's blocks; what is made again gets new records.
      note(of, new Cut(record.end().value(), FORK_VISIBILITY_MAP, 0));
    }
  }

  /** A later cut that is as deep explains all that an earlier one did. */
  private static void note(List<Cut> cuts, Cut cut) {
    cuts.removeIf(earlier ->
        earlier.fork() == cut.fork()
            && Integer.compareUnsigned(earlier.blocks(), cut.blocks()) >= 0);
    cuts.add(cut);
  }

  private void database(WalRecord record) throws WalException {
    if (record.operation() == databaseDrop) {
      databases.put(record.mainInt(0), record.end().value());
    } else if (record.operation() == DATABASE_CREATE_FILE_COPY && !record.start().isBefore(redo)) {
      copiedFiles = true;
    }
  }

  /** Whether the block has been taken away since the record that ends at {@code lsn}. */
  boolean explain(int database, int relation, int fork, int block, long lsn) {
    var key = new Relation(database, relation);
    if (isBehind(dropped.get(key), lsn) || isBehind(databases.get(database), lsn)) {
      return true;
    }
    for (Cut cut : cuts.getOrDefault(key, List.of())) {
      if (cut.fork() == fork
          && Integer.compareUnsigned(block, cut.blocks()) >= 0
          && isBehind(cut.lsn(), lsn)) {
        return true;
      }
    }
    return false;
  }

  private static boolean isBehind(@org.jspecify.annotations.Nullable Long removal, long lsn) {
    return removal != null && Long.compareUnsigned(removal, lsn) > 0;
  }

  /**
   * Whether a database was made by copying files behind the redo point: replay would copy them from
   * a template that holds later changes (storage rule 17).
   */
  boolean copiedFiles() {
    return copiedFiles;
  }

  /** How many records were read. */
  long records() {
    return records;
  }
}
