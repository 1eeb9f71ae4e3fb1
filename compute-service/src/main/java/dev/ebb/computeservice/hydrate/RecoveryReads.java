package dev.ebb.computeservice.hydrate;

import dev.ebb.computeservice.postgres.WalRecordParts;
import dev.ebb.computeservice.postgres.WalStream;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches what recovery is about to read, in front of it. PostgreSQL looks some blocks ahead in the
 * WAL itself ({@code xlogprefetcher.c}), and asks for one block at a time; here all of them are
 * known, are asked for together, and come in the order in which they lie.
 */
public final class RecoveryReads {
  private static final Logger log = LoggerFactory.getLogger(RecoveryReads.class);

  private static final int REQUESTS_AT_A_TIME = 8;

  /** Few at first: recovery has begun. */
  private static final int FIRST_BLOCKS = 64;

  /** Known at a time. */
  private static final int MOST_BLOCKS = 4_096;

  /**
   * So many blocks between two that are needed are fetched with them, rather than in two requests.
   */
  private static final int GAP_BLOCKS = 1;

  private static final int RUN_BLOCKS = 16;

  /** 512 MB; what is seen is remembered, 10 MB. */
  private static final int MAX_BLOCKS = 65_536;

  /** {@code DEFAULTTABLESPACE_OID} and {@code GLOBALTABLESPACE_OID}. */
  private static final Set<Integer> TABLESPACES = Set.of(1663, 1664);

  private static final Comparator<BlockRun> ORDER =
      Comparator.comparing(BlockRun::file).thenComparingInt(BlockRun::firstBlock);

  private final Consumer<BlockRun> fetch;
  private final int maxBlocks;
  private final WalRecordParts parts = new WalRecordParts();
  private final Set<BlockRun> seen = new HashSet<>();
  private volatile boolean closed;

  /**
   * Nothing yet.
   *
   * @param fetch brings blocks to the local disk; called by several threads
   * @param maxBlocks no more are fetched: further ahead they would drive each other out
   */
  RecoveryReads(Consumer<BlockRun> fetch, int maxBlocks) {
    this.fetch = fetch;
    this.maxBlocks = Math.min(maxBlocks, MAX_BLOCKS);
  }

  /** Those of a compute that recovers. */
  public static RecoveryReads of(PageHydrator hydrator, int maxBlocks) {
    return new RecoveryReads(hydrator::aheadOfRecovery, maxBlocks);
  }

  /** Reads the WAL up to {@code end} and fetches; returns when all is there. */
  public void run(WalStream wal, Lsn end) throws IOException {
    wal.limit(end);
    try (ExecutorService requests =
        Executors.newFixedThreadPool(REQUESTS_AT_A_TIME, Thread.ofVirtual().factory())) {
      int wanted = FIRST_BLOCKS;
      boolean more = true;
      while (more && !closed && seen.size() < maxBlocks) {
        var next = new ArrayList<BlockRun>();
        more = collect(wal, Math.min(wanted, maxBlocks - seen.size()), next);
        for (BlockRun run : runs(next)) {
          requests.execute(() -> {
            if (!closed) {
              fetch.accept(run);
            }
          });
        }
        wanted = Math.min(wanted * 4, MOST_BLOCKS);
      }
    }
  }

  /** False where the WAL ends; recovery judges for itself where that is. */
  private boolean collect(WalStream wal, int wanted, List<BlockRun> blocks) throws IOException {
    while (blocks.size() < wanted && !closed) {
      try {
        if (!wal.next()) {
          return false;
        }
      } catch (EbbException.Corrupt e) {
        log.debug("no further ahead of recovery: {}", e.getMessage());
        return false;
      }
      parts.parse(wal);
      for (int i = 0; i < parts.blocks(); i++) {
        if (TABLESPACES.contains(parts.tablespace(i))) {
          BlockRun block = block(i);
          // Seen with an image, or made anew: what comes behind finds it on the local disk.
          if (seen.add(block) && parts.needsOldPage(i)) {
            blocks.add(block);
          }
        }
      }
    }
    return true;
  }

  private BlockRun block(int reference) {
    int block = parts.block(reference);
    return new BlockRun(
        new FileKey(
            FileKey.Kind.RELATION,
            parts.database(reference),
            parts.relation(reference),
            parts.fork(reference),
            Integer.divideUnsigned(block, FileKey.BLOCKS_PER_SEGMENT)),
        Integer.remainderUnsigned(block, FileKey.BLOCKS_PER_SEGMENT),
        1);
  }

  /** In the order in which they lie; neighbours together. */
  static List<BlockRun> runs(List<BlockRun> blocks) {
    var runs = new ArrayList<BlockRun>();
    for (BlockRun next : blocks.stream().sorted(ORDER).toList()) {
      BlockRun last = runs.isEmpty() ? null : runs.getLast();
      int count = last == null ? 0 : next.firstBlock() + 1 - last.firstBlock();
      if (last != null
          && last.file().equals(next.file())
          && count <= RUN_BLOCKS
          && count - last.count() <= GAP_BLOCKS + 1) {
        runs.set(runs.size() - 1, new BlockRun(last.file(), last.firstBlock(), count));
      } else {
        runs.add(next);
      }
    }
    return runs;
  }

  /** Begins no request any more. */
  public void close() {
    closed = true;
  }
}
