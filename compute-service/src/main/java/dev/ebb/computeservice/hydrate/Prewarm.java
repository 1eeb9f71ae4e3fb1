package dev.ebb.computeservice.hydrate;

import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockRun;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches, behind a wake, the blocks that were asked for in the first seconds of the one before,
 * and remembers those of this one. Whatever a session waits for goes first: while a miss is being
 * answered nothing is begun here.
 */
public final class Prewarm implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Prewarm.class);

  /** 8 MiB. */
  private static final int MAX_BLOCKS = 1_024;

  /** Fetched at a time: small, so that a miss never waits for long. */
  private static final int STEP_BLOCKS = 16;

  /** The first query is on its way in; the pages that it needs come first. */
  private static final long BEHIND_READY_NANOS = TimeUnit.MILLISECONDS.toNanos(15);

  private static final long SOON_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final long GIVE_WAY_NANOS = TimeUnit.MICROSECONDS.toNanos(300);

  private static final Comparator<BlockRun> ORDER =
      Comparator.comparing(BlockRun::file).thenComparingInt(BlockRun::firstBlock);

  private final PageHydrator hydrator;
  private final PrewarmMemory memory;
  private final String branch;
  private final List<BlockRun> last;
  private volatile boolean closed;
  private @Nullable Thread thread;

  /** Whether this wake's blocks are remembered by now. */
  private boolean remembered;

  /**
   * @param branch whose wake this is
   */
  public Prewarm(PageHydrator hydrator, PrewarmMemory memory, String branch) {
    this.hydrator = hydrator;
    this.memory = memory;
    this.branch = branch;
    this.last = memory.of(branch);
  }

  /** PostgreSQL accepts connections. */
  public void start() {
    thread = Thread.ofVirtual().name("prewarm-" + branch).start(this::run);
  }

  private void run() {
    long ready = System.nanoTime();
    try {
      LockSupport.parkNanos(BEHIND_READY_NANOS);
      for (BlockRun run : last) {
        for (int at = 0; at < run.count() && !closed; at += STEP_BLOCKS) {
          while (hydrator.isAnswering() && !closed) {
            LockSupport.parkNanos(GIVE_WAY_NANOS);
          }
          hydrator.prewarm(
              new BlockRun(
                  run.file(), run.firstBlock() + at, Math.min(STEP_BLOCKS, run.count() - at)));
        }
      }
      while (!closed && System.nanoTime() - ready < SOON_NANOS) {
        LockSupport.parkNanos(SOON_NANOS - (System.nanoTime() - ready));
      }
      remember();
    } catch (RuntimeException e) {
      log.debug("the prewarming of {} has ended: {}", branch, e.toString());
    }
  }

  /** Once: the blocks of this wake, as far as they are known. */
  public synchronized void remember() {
    if (remembered) {
      return;
    }
    remembered = true;
    List<BlockRun> used = hydrator.used(MAX_BLOCKS);
    if (used.stream().mapToInt(BlockRun::count).sum() > MAX_BLOCKS) {
      // A scan, say: then what sessions had to wait for, and what was of use before.
      used = new ArrayList<>(last);
      used.addAll(hydrator.demanded());
      used.removeIf(run -> run.file().kind() != FileKey.Kind.RELATION);
    }
    memory.put(branch, bounded(used));
  }

  /** Sorted, without overlaps, no longer than the bound. */
  static List<BlockRun> bounded(List<BlockRun> runs) {
    var merged = new ArrayList<BlockRun>();
    int blocks = 0;
    for (BlockRun next : runs.stream().sorted(ORDER).toList()) {
      BlockRun before = merged.isEmpty() ? null : merged.getLast();
      int end = next.firstBlock() + next.count();
      int covered =
          before != null && before.file().equals(next.file())
              ? before.firstBlock() + before.count()
              : 0;
      int from = Math.max(next.firstBlock(), covered);
      if (from >= end || blocks + end - from > MAX_BLOCKS) {
        continue;
      }
      blocks += end - from;
      // In pieces, so that each is kept or dropped by its own use.
      merged.add(new BlockRun(next.file(), from, end - from));
    }
    return List.copyOf(merged);
  }

  /** Begins nothing any more. */
  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
  }
}
