package dev.ebb.computeservice.hydrate;

import dev.ebb.computeservice.blockmap.BlockMap;
import dev.ebb.computeservice.blockmap.FileStatus;
import dev.ebb.computeservice.blockmap.LocalFiles;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.pages.ReadSnapshot;
import dev.ebb.computeservice.template.SkeletonCheck;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/** Answers one compute's misses out of the newest snapshot that has what it does not have. */
public final class PageHydrator implements HydrationHandler {
  /** A miss that goes on where its file's last one ended is a scan: fetch ahead, up to 1 MiB. */
  private static final int MAX_AHEAD_BLOCKS = PageMessage.MAX_PAGES_PER_MESSAGE;

  private static final long FILL_TIMEOUT_MS = 20_000;

  /** How many demanded blocks are remembered as candidates for the boot pack. */
  private static final int MAX_REMEMBERED = 2_048;

  private final BlockMap map;
  private final LocalFiles files;
  private final PageClient pages;
  private final ReadSnapshot snapshot;
  private final DurabilityCheck durability;
  private final List<SkeletonCheck.EagerBlock> eager = new ArrayList<>();
  private final LongAdder hydratedBytes = new LongAdder();
  private final LongAdder bootBytes = new LongAdder();
  private final ConcurrentHashMap<Integer, Scan> scans = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<Manifest.BlockRun, Boolean> demanded = new ConcurrentHashMap<>();

  /** Where the last miss of a file ended, and how much was fetched for it. */
  private record Scan(int end, int fetched) {}

  /** Waits until everything flushed locally by now is durable, or throws. */
  @FunctionalInterface
  public interface DurabilityCheck {
    void await(long timeoutMs) throws IOException, InterruptedException;
  }

  public PageHydrator(
      LocalFiles files, PageClient pages, ReadSnapshot snapshot, DurabilityCheck durability) {
    this.map = files.map();
    this.files = files;
    this.pages = pages;
    this.snapshot = snapshot;
    this.durability = durability;
  }

  @Override
  public void hydrate(int entry, int incarnation, int firstBlock, int count) throws IOException {
    FileKey key = map.key(entry);
    int toEnd = map.status(entry).blocks() - firstBlock;
    int blocks = Math.max(count, Math.min(ahead(entry, firstBlock, count), toEnd));
    if (demanded.size() < MAX_REMEMBERED) {
      demanded.put(new Manifest.BlockRun(key, firstBlock, count), true);
    }
    files.fill(
        entry,
        incarnation,
        firstBlock,
        blocks,
        (file, of, first, run, target) -> {
          for (int at = 0; at < run; at += PageMessage.MAX_PAGES_PER_MESSAGE) {
            int part = Math.min(PageMessage.MAX_PAGES_PER_MESSAGE, run - at);
            target.put(read(file, of, first + at, part));
          }
          hydratedBytes.add((long) run * FileKey.BLOCK_BYTES);
        },
        FILL_TIMEOUT_MS);
  }

  private byte[] read(FileKey file, int incarnation, int first, int count) throws IOException {
    try {
      return snapshot.read(key -> pages.read(key, file, incarnation, first, count));
    } catch (EbbException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  /** How many blocks to fetch for a miss; doubles as long as misses follow one another. */
  private int ahead(int entry, int firstBlock, int count) {
    Scan scan =
        scans.compute(
            entry,
            (e, last) -> {
              boolean follows = last != null && last.end() == firstBlock;
              int fetch =
                  follows ? Math.max(count, Math.min(last.fetched() * 2, MAX_AHEAD_BLOCKS)) : count;
              return new Scan(firstBlock + fetch, fetch);
            });
    return scan.fetched();
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
              Arrays.copyOfRange(
                  run.bytes(),
                  (first - run.firstBlock()) * FileKey.BLOCK_BYTES,
                  (first - run.firstBlock() + part) * FileKey.BLOCK_BYTES));
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
        (key, incarnation, first, part, target) -> {
          byte[] pages = source.of(first, part);
          if (key.kind() != FileKey.Kind.RELATION) {
            for (int i = 0; i < part; i++) {
              int at = i * FileKey.BLOCK_BYTES;
              eager.add(
                  SkeletonCheck.EagerBlock.of(
                      key, first + i, Arrays.copyOfRange(pages, at, at + FileKey.BLOCK_BYTES)));
            }
          }
          target.put(pages);
          bootBytes.add(pages.length);
        },
        FILL_TIMEOUT_MS);
  }

  /** Blocks that were missed so far, as they were asked for; a bounded number. */
  public List<Manifest.BlockRun> demanded() {
    return new ArrayList<>(demanded.keySet());
  }

  /** Bytes fetched because PostgreSQL asked, read-ahead included. */
  public long hydratedBytes() {
    return hydratedBytes.sum();
  }

  /** Bytes put in place before PostgreSQL started. */
  public long bootBytes() {
    return bootBytes.sum();
  }
}
