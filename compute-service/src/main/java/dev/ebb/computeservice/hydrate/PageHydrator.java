package dev.ebb.computeservice.hydrate;

import dev.ebb.computeservice.blockmap.BlockMap;
import dev.ebb.computeservice.blockmap.DamagedBlocks;
import dev.ebb.computeservice.blockmap.FileStatus;
import dev.ebb.computeservice.blockmap.LocalFiles;
import dev.ebb.computeservice.localcache.Share;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.pages.ReadSnapshot;
import dev.ebb.computeservice.template.SkeletonCheck;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers one compute's misses out of its newest committed snapshot: a block that is absent now has
 * not changed since, whether it was never here or was evicted ({@link ReadSnapshot#advance} comes
 * before a capture's blocks count as clean).
 */
public final class PageHydrator implements HydrationHandler, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PageHydrator.class);
  private static final long FILL_TIMEOUT_MS = 20_000;

  /** How many demanded blocks are remembered as candidates for the boot pack. */
  private static final int MAX_REMEMBERED = 2_048;

  /** Hints that are followed at the same time; more are dropped. */
  private static final int MAX_HINTS = 64;

  private final BlockMap map;
  private final LocalFiles files;
  private final PageClient pages;
  private final ReadSnapshot snapshot;
  private final Share share;
  private final DurabilityCheck durability;
  private final ReadAhead readAhead;
  private final DamageLog damages = new DamageLog(Clock.systemUTC());
  private final Semaphore hints = new Semaphore(MAX_HINTS);
  private final List<SkeletonCheck.EagerBlock> eager = new ArrayList<>();
  private final LongAdder hydratedBytes = new LongAdder();
  private final LongAdder prewarmedBytes = new LongAdder();
  private final LongAdder bootBytes = new LongAdder();
  private final AtomicLong misses = new AtomicLong();
  private final AtomicInteger answering = new AtomicInteger();

  /** With the number of the miss that was the first to ask. */
  private final ConcurrentHashMap<Manifest.BlockRun, Long> demanded = new ConcurrentHashMap<>();

  private final String startKey;

  /** Waits until everything flushed locally by now is durable, or throws. */
  @FunctionalInterface
  public interface DurabilityCheck {
    void await(long timeoutMs) throws IOException, InterruptedException;
  }

  public PageHydrator(
      LocalFiles files,
      PageClient pages,
      Share share,
      ReadSnapshot snapshot,
      DurabilityCheck durability) {
    this.map = files.map();
    this.files = files;
    this.pages = pages;
    this.share = share;
    this.snapshot = snapshot;
    this.startKey = snapshot.key();
    this.durability = durability;
    this.readAhead = new ReadAhead(map, this::fetchScanned, share.aheadBlocks());
  }

  @Override
  public void hydrate(int entry, int incarnation, int firstBlock, int count, int process)
      throws IOException {
    long miss = misses.incrementAndGet();
    if (demanded.size() < MAX_REMEMBERED) {
      demanded.putIfAbsent(new Manifest.BlockRun(map.key(entry), firstBlock, count), miss);
    }
    answering.incrementAndGet();
    try {
      share.awaitRoom(count);
      readAhead.missed(entry, incarnation, firstBlock, count);
      files.fill(
          entry,
          incarnation,
          firstBlock,
          count,
          (file, of, first, run) -> fetched(file, of, first, run, process, hydratedBytes),
          FILL_TIMEOUT_MS);
    } finally {
      answering.decrementAndGet();
    }
  }

  /** Whether PostgreSQL waits for blocks just now. */
  boolean isAnswering() {
    return answering.get() > 0;
  }

  /** Fetches blocks that were used soon after the last wake, as far as they are there. */
  void prewarm(Manifest.BlockRun run) {
    prefetch(run, prewarmedBytes);
  }

  /** Fetches blocks that recovery is about to read, as far as they are there. */
  void aheadOfRecovery(Manifest.BlockRun run) {
    prefetch(run, hydratedBytes);
  }

  /** Fetches blocks of a file, if it is there and as long, for which nobody waits yet. */
  private void prefetch(Manifest.BlockRun run, LongAdder bytes) {
    OptionalInt entry = map.find(run.file());
    if (entry.isEmpty()) {
      return;
    }
    int count = Math.min(run.count(), map.sizeBlocks(entry.getAsInt()) - run.firstBlock());
    if (count <= 0) {
      return;
    }
    try {
      var _ =
          fetchSoon(
              entry.getAsInt(),
              map.incarnation(entry.getAsInt()),
              run.firstBlock(),
              count,
              LocalFiles.Piece.BLOCK,
              bytes);
    } catch (IOException e) {
      // Whoever reads it asks for it, and hears why it cannot be had.
      log.debug("prefetch of {}: {}", run, e.toString());
    }
  }

  /**
   * Relations' blocks that have been read or written since the start, whoever brought them: read
   * ahead, put in place before, or missed. Stops beyond {@code limit} blocks.
   */
  List<Manifest.BlockRun> used(int limit) {
    var used = new ArrayList<Manifest.BlockRun>();
    int blocks = 0;
    for (FileStatus file : map.files()) {
      if (file.phase() != FileStatus.Phase.LIVE || file.key().kind() != FileKey.Kind.RELATION) {
        continue;
      }
      for (int block = 0; block < file.blocks() && blocks <= limit; block++) {
        int first = block;
        while (block < file.blocks() && map.isAccessed(file.entry(), block)) {
          block++;
        }
        if (block > first) {
          used.add(new Manifest.BlockRun(file.key(), first, block - first));
          blocks += block - first;
        }
      }
    }
    return used;
  }

  @Override
  public void hint(int entry, int incarnation, int firstBlock, int count) {
    if (!hints.tryAcquire()) {
      return;
    }
    Thread.ofVirtual()
        .name("hint")
        .start(() -> {
          try {
            var _ =
                fetchSoon(
                    entry, incarnation, firstBlock, count, LocalFiles.Piece.BLOCK, hydratedBytes);
          } catch (IOException | RuntimeException e) {
            // Whoever reads it asks for it, and hears why it cannot be had.
            log.debug("hint of entry {} at {}: {}", entry, firstBlock, e.toString());
          } finally {
            hints.release();
          }
        });
  }

  private int fetchScanned(int entry, int incarnation, int firstBlock, int count)
      throws IOException {
    return fetchSoon(entry, incarnation, firstBlock, count, LocalFiles.Piece.RUN, hydratedBytes);
  }

  /** Nobody waits for these blocks yet. */
  private int fetchSoon(
      int entry,
      int incarnation,
      int firstBlock,
      int count,
      LocalFiles.Piece piece,
      LongAdder bytes)
      throws IOException {
    share.awaitRoom(count);
    files.materialise(entry);
    return files.fill(
        entry,
        incarnation,
        firstBlock,
        count,
        (file, of, first, run) -> fetched(file, of, first, run, 0, bytes),
        piece,
        FILL_TIMEOUT_MS);
  }

  /**
   * Claimed blocks' content.
   *
   * @param process who waits for it; 0 for nobody yet
   * @param bytes counts it
   */
  private byte[] fetched(
      FileKey file, int incarnation, int first, int count, int process, LongAdder bytes)
      throws IOException {
    try {
      byte[] fetched = orOneByOne(file, incarnation, first, count, process);
      bytes.add(fetched.length);
      return fetched;
    } catch (EbbException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private byte[] orOneByOne(FileKey file, int incarnation, int first, int count, int process)
      throws IOException {
    try {
      return read(file, incarnation, first, count);
    } catch (EbbException.Corrupt e) {
      return oneByOne(file, incarnation, first, count, process, e);
    }
  }

  /** The key is looked at behind the claim: no newer snapshot has other content then. */
  private byte[] read(FileKey file, int incarnation, int first, int count) {
    return snapshot.read(key -> pages.read(key, file, incarnation, first, count));
  }

  /** Some block of a run is damaged: the others can be had all the same. */
  private byte[] oneByOne(
      FileKey file, int incarnation, int first, int count, int process, EbbException.Corrupt cause)
      throws IOException {
    var content = new byte[count * FileKey.BLOCK_BYTES];
    var damaged = new BitSet();
    for (int i = 0; i < count; i++) {
      try {
        if (count == 1) {
          throw cause;
        }
        byte[] page = read(file, incarnation, first + i, 1);
        System.arraycopy(page, 0, content, i * FileKey.BLOCK_BYTES, FileKey.BLOCK_BYTES);
      } catch (EbbException.Corrupt e) {
        damaged.set(i);
        if (process != 0) {
          damages.met(file, first + i, process, String.valueOf(e.getMessage()));
        }
      }
    }
    if (!damaged.isEmpty()) {
      throw new DamagedBlocks(String.valueOf(cause.getMessage()), first, content, damaged);
    }
    return content;
  }

  @Override
  public void waitDurable(long timeoutMs) throws IOException, InterruptedException {
    durability.await(timeoutMs);
  }

  /** Puts pages in place before PostgreSQL starts; those of a file that has changed are skipped. */
  public void fillAhead(PageMessage.BootPages.Run run) throws IOException {
    OptionalInt found = map.find(run.file());
    int count = run.bytes().length / FileKey.BLOCK_BYTES;
    if (found.isEmpty()) {
      return;
    }
    FileStatus file = map.status(found.getAsInt());
    if (file.incarnation() == run.incarnation() && run.firstBlock() + count <= file.blocks()) {
      place(
          file,
          run.firstBlock(),
          count,
          (first, part) ->
              snapshot.key().equals(startKey)
                  ? Arrays.copyOfRange(
                      run.bytes(),
                      (first - run.firstBlock()) * FileKey.BLOCK_BYTES,
                      (first - run.firstBlock() + part) * FileKey.BLOCK_BYTES)
                  : read(file.key(), file.incarnation(), first, part));
    }
  }

  /**
   * Fetches blocks, unless they are there, before PostgreSQL starts; returns all blocks outside
   * relations that were put in place by now, for a check of what then lies on the disk.
   */
  public List<SkeletonCheck.EagerBlock> fetchAhead(List<Manifest.BlockRun> runs)
      throws IOException {
    for (Manifest.BlockRun run : runs) {
      OptionalInt found = map.find(run.file());
      if (found.isPresent()) {
        FileStatus file = map.status(found.getAsInt());
        place(
            file,
            run.firstBlock(),
            run.count(),
            (first, count) -> read(file.key(), file.incarnation(), first, count));
      }
    }
    return List.copyOf(eager);
  }

  /** Where the pages of a run of blocks come from. */
  @FunctionalInterface
  private interface Pages {
    byte[] of(int first, int count) throws IOException;
  }

  private void place(FileStatus file, int firstBlock, int count, Pages source) throws IOException {
    files.materialise(file.entry());
    files.fill(
        file.entry(),
        file.incarnation(),
        firstBlock,
        count,
        (key, incarnation, first, part) -> {
          byte[] pages = source.of(first, part);
          if (key.kind() != FileKey.Kind.RELATION) {
            for (int i = 0; i < part; i++) {
              int at = i * FileKey.BLOCK_BYTES;
              eager.add(
                  SkeletonCheck.EagerBlock.of(
                      key, first + i, Arrays.copyOfRange(pages, at, at + FileKey.BLOCK_BYTES)));
            }
          }
          bootBytes.add(pages.length);
          return pages;
        },
        FILL_TIMEOUT_MS);
  }

  /** Blocks that were missed so far, as and in the order they were asked for; a bounded number. */
  public List<Manifest.BlockRun> demanded() {
    return demanded.entrySet().stream()
        .sorted(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .toList();
  }

  /** How often PostgreSQL had to wait for blocks. */
  public long misses() {
    return misses.get();
  }

  /** The damaged pages that PostgreSQL asked for. */
  public DamageLog damages() {
    return damages;
  }

  /** Bytes fetched behind the wake because the one before used them. */
  public long prewarmedBytes() {
    return prewarmedBytes.sum();
  }

  /** Bytes fetched because PostgreSQL asked, read-ahead included. */
  public long hydratedBytes() {
    return hydratedBytes.sum();
  }

  /** Bytes put in place before PostgreSQL started. */
  public long bootBytes() {
    return bootBytes.sum();
  }

  /** Fetches nothing ahead any more. */
  @Override
  public void close() {
    readAhead.close();
  }
}
