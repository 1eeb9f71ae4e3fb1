package dev.ebb.computeservice.localcache;

import dev.ebb.computeservice.blockmap.BlockEviction;
import dev.ebb.computeservice.blockmap.LocalFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the blocks on this host's disk under one limit, shared by all its computes: the largest
 * gives first, down to a floor that each compute may keep.
 *
 * <p>A thread looks several times a second, and at once where somebody waits for room. It begins
 * before the limit is reached, so that few have to wait. What is not in a snapshot yet cannot go:
 * where too much of it is in the way, a capture is asked for, and meanwhile the limit gives way,
 * not the query.
 *
 * <p>Safe for use by many threads.
 */
public final class LocalCache implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(LocalCache.class);

  /** How often the blocks that PostgreSQL itself adds to files are looked at. */
  private static final long LOOK_EVERY_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

  /** The longest that a read waits for room. */
  private static final long MAX_WAIT_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** Between two rounds where nothing more can be freed than what was fetched in between. */
  private static final long PACE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  /** Freed at a time, before the next compute is looked at. */
  private static final long STEP_BYTES = 16L << 20;

  private static final long MAX_FLOOR_BYTES = 32L << 20;
  private static final long MIN_MARGIN_BYTES = 4L << 20;
  private static final long MAX_MARGIN_BYTES = 256L << 20;

  private final long limitBytes;
  private final long floorBytes;
  private final long marginBytes;
  private final Set<Share> shares = ConcurrentHashMap.newKeySet();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition wanted = lock.newCondition();
  private final Condition rounded = lock.newCondition();

  /** Under the lock. */
  private long rounds;

  /** Under the lock: somebody waits for a round. */
  private boolean asked;

  /** Under the lock: the last round found nothing more to free. */
  private boolean exhausted;

  private boolean closed;
  private final LongAdder evictedBytes = new LongAdder();
  private final Thread thread;

  /**
   * Begins.
   *
   * @param limitBytes of all computes together
   * @param computes how many there may be: each may keep its part, up to 32 MiB, whatever the
   *     others need
   * @param directory where they are; where its file system cannot free parts of files there is no
   *     limit, which the log tells
   */
  public static LocalCache open(long limitBytes, int computes, Path directory) throws IOException {
    long limit = limitBytes;
    if (!BlockEviction.worksIn(directory)) {
      log.warn(
          "the file system of {} cannot free parts of files: the local cache has no limit",
          directory);
      limit = 0;
    }
    return new LocalCache(limit, Math.min(MAX_FLOOR_BYTES, limit / Math.max(1, computes)));
  }

  /**
   * Begins.
   *
   * @param limitBytes 0 for none
   * @param floorBytes that a compute may keep
   */
  LocalCache(long limitBytes, long floorBytes) {
    this.limitBytes = limitBytes <= 0 ? Long.MAX_VALUE : limitBytes;
    this.floorBytes = floorBytes;
    this.marginBytes = Math.clamp(this.limitBytes / 16, MIN_MARGIN_BYTES, MAX_MARGIN_BYTES);
    this.thread = Thread.ofPlatform().daemon().name("ebb-local-cache").unstarted(this::run);
    if (limitBytes > 0) {
      thread.start();
    }
  }

  /** Takes in a compute. Its share must be closed before its block map is. */
  public Share open(LocalFiles files) {
    Share share = new Share(this, files);
    shares.add(share);
    return share;
  }

  void remove(Share share) {
    shares.remove(share);
  }

  public long limitBytes() {
    return limitBytes;
  }

  /** What each compute may keep. */
  long floorBytes() {
    return floorBytes;
  }

  /** Bytes of blocks on the disk, of all computes. */
  public long usedBytes() {
    return shares.stream().mapToLong(Share::usedBytes).sum();
  }

  /** Bytes freed so far. */
  public long evictedBytes() {
    return evictedBytes.sum();
  }

  /** How much may be fetched ahead for one reader without driving out what it is about to read. */
  public long aheadBytes() {
    return limitBytes / 8;
  }

  /**
   * Waits until there is room for more bytes, a bounded time: where there is none to be had, they
   * go over the limit.
   */
  void awaitRoom(long bytes) {
    if (isRoomFor(bytes, false)) {
      return;
    }
    lock.lock();
    try {
      long left = MAX_WAIT_NANOS;
      long enough = rounds + 2;
      while (!closed && !isRoomFor(bytes, exhausted) && left > 0 && rounds < enough) {
        asked = true;
        wanted.signal();
        left = rounded.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
  }

  /** Above the limit by a margin, too, where the rest of it cannot be freed. */
  private boolean isRoomFor(long bytes, boolean giveWay) {
    return limitBytes == Long.MAX_VALUE
        || usedBytes() + bytes - (giveWay ? marginBytes : 0) <= limitBytes;
  }

  private void run() {
    while (awaitWork()) {
      boolean enough = false;
      try {
        enough = usedBytes() <= limitBytes - marginBytes || round();
      } catch (RuntimeException | Error e) {
        // Without this thread there is no limit any more: the next round may go well.
        log.warn("the local cache could not be looked at", e);
      }
      lock.lock();
      try {
        rounds++;
        exhausted = !enough;
        rounded.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  private boolean awaitWork() {
    lock.lock();
    try {
      long beginNanos = System.nanoTime();
      while (!closed) {
        long pauseNanos = !asked ? LOOK_EVERY_NANOS : exhausted ? PACE_NANOS : 0;
        long left = pauseNanos - (System.nanoTime() - beginNanos);
        if (left <= 0) {
          break;
        }
        var _ = wanted.awaitNanos(left);
      }
      asked = false;
      return !closed;
    } catch (InterruptedException e) {
      return false;
    } finally {
      lock.unlock();
    }
  }

  /** Frees down to two margins below the limit; false where that cannot be reached. */
  private boolean round() {
    long target = limitBytes - 2 * marginBytes;
    shares.forEach(Share::count);
    boolean reached = free(target, false) || free(target, true);
    if (!reached) {
      shares.stream().filter(share -> share.usedBytes() > floorBytes).forEach(Share::askForCapture);
    }
    return usedBytes() <= limitBytes - marginBytes;
  }

  private boolean free(long target, boolean catalog) {
    while (true) {
      long over = usedBytes() - target;
      if (over <= 0) {
        return true;
      }
      long freed = 0;
      // The largest first; the next where that one has nothing to give.
      List<Share> largest =
          shares.stream().sorted(Comparator.comparingLong(Share::usedBytes).reversed()).toList();
      for (Share share : largest) {
        long spare = share.usedBytes() - floorBytes;
        if (freed == 0 && spare > 0) {
          freed = share.evict(Math.min(Math.min(over, spare), STEP_BYTES), catalog);
        }
      }
      if (freed == 0) {
        return false;
      }
      evictedBytes.add(freed);
    }
  }

  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      wanted.signalAll();
      rounded.signalAll();
    } finally {
      lock.unlock();
    }
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
