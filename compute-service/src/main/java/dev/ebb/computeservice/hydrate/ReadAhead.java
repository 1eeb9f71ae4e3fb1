package dev.ebb.computeservice.hydrate;

import dev.ebb.computeservice.blockmap.BlockMap;
import dev.ebb.computeservice.blockmap.FileStatus;
import dev.ebb.computeservice.blockmap.LocalFiles;
import dev.ebb.shared.page.FileKey;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sees scans and fetches in front of them. A miss that goes on where another has ended is a scan;
 * so are the misses of several processes that divide a file among themselves (parallel scans take
 * turns with chunks of some hundred kB). From then on a window in front of the reader is kept
 * filled, several requests at a time; it grows as the reader follows, so that a scan that goes on
 * meets no miss at all. How far the reader is, its marks in the block map tell: PostgreSQL is never
 * asked, nor slowed down.
 *
 * <p>A scan ends with its file (the next segment's begins then), or when the reader stays away.
 */
final class ReadAhead implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ReadAhead.class);

  /** One request's. */
  static final int BATCH_BLOCKS = LocalFiles.RUN_BLOCKS;

  private static final int FIRST_WINDOW = 4;
  private static final int MAX_WINDOW = 2_048;
  private static final int MAX_IN_FLIGHT = 24;

  /** How far from the place where it is expected a miss still belongs to a scan. */
  private static final int REACH = 512;

  /**
   * Before the second miss in a row, and for one of several blocks only: a descent of a small index
   * reads its first block and then, as a rule, its fourth.
   */
  private static final int FIRST_REACH = 4;

  private static final int MAX_SCANS = 64;
  private static final long TICK_NANOS = TimeUnit.MICROSECONDS.toNanos(300);
  private static final long MAX_TICK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);
  private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final BlockMap map;
  private final Fetch fetch;
  private final int maxWindow;
  private final ReentrantLock lock = new ReentrantLock();

  /** The last used last. Under the lock, as is all of a scan. */
  private final Map<Integer, Scan> scans = new LinkedHashMap<>(16, 0.75f, true);

  private volatile boolean closed;

  /** Brings blocks to the local disk; returns how many were not there. */
  @FunctionalInterface
  interface Fetch {
    int blocks(int entry, int incarnation, int firstBlock, int count) throws IOException;
  }

  /**
   * @param maxWindow the most blocks in front of one reader
   */
  ReadAhead(BlockMap map, Fetch fetch, int maxWindow) {
    this.map = map;
    this.fetch = fetch;
    this.maxWindow = Math.min(MAX_WINDOW, maxWindow);
  }

  /** One reader, or several that read one stretch of a file together. */
  private final class Scan {
    final int entry;
    final int incarnation;

    /** The reader is at least here. */
    int position;

    /** Everything below has been asked for. */
    int frontier;

    /** 0: one miss only so far. */
    int window;

    int inFlight;
    long movedAtNanos = System.nanoTime();
    @Nullable Thread runner;

    /** What was fetched and not seen to be read, in the file's order. */
    final Deque<Batch> ahead = new ArrayDeque<>();

    Scan(int entry, int incarnation, int position, int window) {
      this.entry = entry;
      this.incarnation = incarnation;
      this.position = position;
      this.frontier = position;
      this.window = window;
    }

    boolean expects(int first, int count) {
      return window == 0
          ? first >= position && first <= position + (count > 1 ? FIRST_REACH : 0)
          : first + count > position - REACH && first <= frontier + REACH;
    }

    void grow() {
      window = Math.min(maxWindow, Math.max(window * 2, FIRST_WINDOW));
    }

    /** Looks how far the reader has come. */
    void follow() {
      int read = 0;
      int n = 0;
      for (Batch batch : ahead) {
        n++;
        if (batch.fetched && isRead(batch)) {
          read = n;
        }
      }
      for (; read > 0; read--) {
        Batch batch = ahead.removeFirst();
        moveTo(batch.first + batch.count);
      }
    }

    private boolean isRead(Batch batch) {
      for (int block = batch.first; block < batch.first + batch.count; block++) {
        if (map.isAccessed(entry, block)) {
          return true;
        }
      }
      return false;
    }

    void moveTo(int block) {
      if (block > position) {
        position = block;
        movedAtNanos = System.nanoTime();
        grow();
      }
    }

    /** The next blocks to ask for, or none yet. */
    @Nullable Batch next() {
      int size = map.sizeBlocks(entry);
      int end = Math.min(size, position + window);
      int count = Math.min(BATCH_BLOCKS, end - frontier);
      // Whole messages, where a part of one is not all that is left.
      boolean worthwhile = count == BATCH_BLOCKS || window < BATCH_BLOCKS || end == size;
      if (inFlight == MAX_IN_FLIGHT || count <= 0 || !worthwhile) {
        return null;
      }
      var batch = new Batch(frontier, count);
      frontier += count;
      inFlight++;
      ahead.addLast(batch);
      return batch;
    }

    boolean isOver() {
      return closed
          || map.incarnation(entry) != incarnation
          || (inFlight == 0 && System.nanoTime() - movedAtNanos > IDLE_NANOS);
    }
  }

  /** Under the lock. */
  private static final class Batch {
    final int first;
    final int count;
    boolean fetched;

    Batch(int first, int count) {
      this.first = first;
      this.count = count;
    }
  }

  /** A reader had to wait for these blocks; they are there by now, or on their way. */
  void missed(int entry, int incarnation, int first, int count) {
    lock.lock();
    try {
      Scan scan = scans.get(entry);
      if (scan == null || scan.incarnation != incarnation || !scan.expects(first, count)) {
        boolean running = scan != null && scan.runner != null;
        if (!running) {
          put(new Scan(entry, incarnation, first + count, 0));
        }
        return;
      }
      if (scan.window == 0) {
        scan.frontier = first + count;
      }
      scan.moveTo(first + count);
      run(scan);
    } finally {
      lock.unlock();
    }
  }

  private void put(Scan scan) {
    scans.put(scan.entry, scan);
    Iterator<Scan> eldest = scans.values().iterator();
    while (scans.size() > MAX_SCANS && eldest.hasNext()) {
      if (eldest.next().runner == null) {
        eldest.remove();
      }
    }
  }

  /** Under the lock. */
  private void run(Scan scan) {
    if (scan.runner == null && !closed) {
      scan.movedAtNanos = System.nanoTime();
      scan.runner = Thread.ofVirtual().name("read-ahead").start(() -> keepFilled(scan));
    } else {
      LockSupport.unpark(scan.runner);
    }
  }

  private void keepFilled(Scan scan) {
    long pauseNanos = TICK_NANOS;
    while (true) {
      Batch batch = null;
      lock.lock();
      try {
        int before = scan.position;
        scan.follow();
        if (scan.isOver() || endsWithSegment(scan)) {
          scan.runner = null;
          return;
        }
        pauseNanos =
            scan.position == before ? Math.min(pauseNanos * 2, MAX_TICK_NANOS) : TICK_NANOS;
        batch = scan.next();
      } catch (IllegalStateException e) {
        return; // the compute has ended
      } finally {
        lock.unlock();
      }
      if (batch == null) {
        LockSupport.parkNanos(pauseNanos);
      } else {
        Batch started = batch;
        Thread.ofVirtual().name("read-ahead-batch").start(() -> fetch(scan, started));
      }
    }
  }

  private void fetch(Scan scan, Batch batch) {
    int fetched = 0;
    try {
      fetched = fetch.blocks(scan.entry, scan.incarnation, batch.first, batch.count);
    } catch (IOException | RuntimeException e) {
      // Whoever reads it asks for it, and hears why it cannot be had.
      log.debug("read-ahead of entry {} at {}: {}", scan.entry, batch.first, e.toString());
    }
    lock.lock();
    try {
      scan.inFlight--;
      batch.fetched = fetched > 0;
      if (fetched == 0) {
        scan.ahead.remove(batch);
      }
      LockSupport.unpark(scan.runner);
    } finally {
      lock.unlock();
    }
  }

  /** Whether all of the file has been asked for; a scan goes on in the next segment. */
  private boolean endsWithSegment(Scan scan) {
    int size = map.sizeBlocks(scan.entry);
    if (scan.frontier < size || scan.inFlight > 0) {
      return false;
    }
    if (size == FileKey.BLOCKS_PER_SEGMENT) {
      FileKey key = map.key(scan.entry);
      OptionalInt found =
          map.find(
              new FileKey(
                  key.kind(), key.database(), key.relation(), key.fork(), key.segment() + 1));
      if (found.isPresent() && !scans.containsKey(found.getAsInt())) {
        FileStatus next = map.status(found.getAsInt());
        var continued = new Scan(next.entry(), next.incarnation(), 0, scan.window);
        put(continued);
        run(continued);
      }
    }
    return true;
  }

  @Override
  public void close() {
    closed = true;
  }
}
