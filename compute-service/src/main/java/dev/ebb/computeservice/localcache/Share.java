package dev.ebb.computeservice.localcache;

import dev.ebb.computeservice.blockmap.BlockEviction;
import dev.ebb.computeservice.blockmap.LocalFiles;
import dev.ebb.shared.page.FileKey;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One compute's part of the host's {@link LocalCache}. */
public final class Share implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Share.class);

  private final LocalCache cache;
  private final LocalFiles files;
  private final BlockEviction eviction;
  private final ReentrantLock lock = new ReentrantLock();
  private final AtomicBoolean captureAsked = new AtomicBoolean();

  /** Changes under the lock; once set, the block map is not touched any more. */
  private volatile boolean closed;

  /** What was there when all words were looked at, and the blocks added up to then. */
  private volatile Counted counted = new Counted(new BlockEviction.Present(0, 0), 0);

  /** A file system that refuses, for want of memory, say, is asked again after so long. */
  private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** Under the lock: when eviction failed last. */
  private long failedAtNanos;

  /** Under the lock. */
  private boolean failed;

  private record Counted(BlockEviction.Present present, long added) {
    long bytes() {
      return present.bytes();
    }

    Counted without(long freedBytes) {
      return new Counted(
          new BlockEviction.Present(bytes() - freedBytes, present.changedBytes()), added);
    }
  }

  Share(LocalCache cache, LocalFiles files) {
    this.cache = cache;
    this.files = files;
    this.eviction = new BlockEviction(files);
  }

  /**
   * Bytes of blocks on the disk: as counted last, and what has come since. What PostgreSQL has cut
   * off or dropped since counts until the next count.
   */
  public long usedBytes() {
    if (closed) {
      return 0;
    }
    Counted last = counted;
    try {
      return last.bytes() + (files.blocksAdded() - last.added()) * FileKey.BLOCK_BYTES;
    } catch (IllegalStateException e) {
      return 0; // closed just now
    }
  }

  /** Call before blocks are fetched: waits, bounded, until there is room for them. */
  public void awaitRoom(int blocks) {
    cache.awaitRoom((long) blocks * FileKey.BLOCK_BYTES);
  }

  /** How many blocks may be fetched ahead for one reader. */
  public int aheadBlocks() {
    return (int) Math.min(Integer.MAX_VALUE, cache.aheadBytes() / FileKey.BLOCK_BYTES);
  }

  /** Whether the limit needs a capture since this was asked last: dirty blocks are in the way. */
  public boolean takeCaptureAsked() {
    return captureAsked.getAndSet(false);
  }

  /**
   * Whether it has more than it may keep in blocks that no snapshot has as they are: by the last
   * count, which is of when the limit was in need.
   */
  public boolean isFullOfChanges() {
    return counted.present().changedBytes() > cache.floorBytes();
  }

  void askForCapture() {
    captureAsked.set(true);
  }

  void count() {
    lock.lock();
    try {
      if (!closed) {
        long added = files.blocksAdded();
        counted = new Counted(eviction.present(), added);
      }
    } finally {
      lock.unlock();
    }
  }

  long evict(long bytes, boolean catalog) {
    lock.lock();
    try {
      if (closed || (failed && System.nanoTime() - failedAtNanos < RETRY_NANOS)) {
        return 0;
      }
      long freed = eviction.evict(bytes, catalog);
      failed = false;
      counted = counted.without(freed);
      return freed;
    } catch (IOException e) {
      failed = true;
      failedAtNanos = System.nanoTime();
      log.error("a compute's blocks cannot be evicted just now: {}", e.getMessage());
      return 0;
    } finally {
      lock.unlock();
    }
  }

  /** Lets the compute go; nothing touches its block map behind this. */
  @Override
  public void close() {
    cache.remove(this);
    lock.lock();
    try {
      closed = true;
    } finally {
      lock.unlock();
    }
  }
}
