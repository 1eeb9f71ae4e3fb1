package dev.ebb.computeservice.blockmap;

import dev.ebb.computeservice.blockmap.FileStatus.Phase;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One capture's pass over the block map (storage rules 14 and 38). Use: {@link #run} after the
 * checkpoint and after {@code pg_control} was read; then, when the manifest is committed, {@link
 * #commit}; if the capture is given up at any point, also in the middle of {@code run}, {@link
 * #abort}, which makes everything dirty again. One at a time for each block map; for one thread.
 */
public final class BlockCapture {

  private static final long PAUSE_NANOS = 100_000;

  private final LocalFiles files;
  private final BlockMap map;
  private final long settleNanos;
  private final SortedMap<Integer, BitSet> captured = new TreeMap<>();
  private final SortedMap<FileKey, BlockFile> table = new TreeMap<>();
  private final PageStamps stamps = new PageStamps();
  private final ByteBuffer page = ByteBuffer.allocateDirect(FileKey.BLOCK_BYTES);

  /** Of the file that is being captured: how many of its blocks the manifest will have. */
  private int end;

  /**
   * @param settleMs how long to wait for one block or file that is being changed
   */
  public BlockCapture(LocalFiles files, long settleMs) {
    this.files = files;
    this.map = files.map();
    this.settleNanos = settleMs * 1_000_000;
  }

  /**
   * Hands every dirty block to the visitor and returns the new manifest's table of files, sorted.
   *
   * @throws IOException if a file does not settle, cannot be read, or the visitor fails: abort then
   */
  public List<BlockFile> run(PageVisitor visitor) throws IOException {
    table.clear();
    for (int entry : map.entries()) {
      BlockFile file = captureFile(entry, visitor);
      if (file != null) {
        // A name that was dropped and made again meanwhile may have had two entries.
        table.merge(file.key(), file, BlockCapture::newer);
      }
    }
    return table();
  }

  /**
   * Looks at one file again, within {@link #run}'s capture: what became dirty since, and its size,
   * are the snapshot's then. For files that were found to be behind.
   */
  public void again(FileKey key, PageVisitor visitor) throws IOException {
    OptionalInt entry = map.find(key);
    BlockFile file = entry.isEmpty() ? null : captureFile(entry.getAsInt(), visitor);
    if (file == null || !file.key().equals(key)) {
      table.remove(key);
    } else {
      table.put(key, file);
    }
  }

  /** The new manifest's table of files as it stands, sorted. */
  public List<BlockFile> table() {
    return List.copyOf(table.values());
  }

  /** A file of the table; null where it has none of this name. */
  public @Nullable BlockFile file(FileKey key) {
    return table.get(key);
  }

  /** The LSNs of the pages that were handed over. */
  public PageStamps stamps() {
    return stamps;
  }

  /**
   * The LSN of a block that does not differ from the last snapshot, from the local disk; {@link
   * PageStamps#NONE} where it does, or is not there.
   */
  public long cleanStamp(BlockFile file, int block) throws IOException {
    OptionalInt found = map.find(file.key());
    if (found.isEmpty()) {
      return PageStamps.NONE;
    }
    int entry = found.getAsInt();
    int word = map.word(entry, block);
    boolean clean =
        (word & (BlockMap.DIRTY | BlockMap.WRITERS_MASK)) == 0
            && (word & BlockMap.STATE_MASK) != BlockMap.FILLING // of an eviction
            && !map.isAbsent(entry, block);
    try (FileChannel channel = clean ? files.openToRead(file.key()) : null) {
      boolean read = channel != null && LocalFiles.readBlock(channel, block, page);
      boolean unchanged = ((map.word(entry, block) ^ word) & ~BlockMap.ACCESSED) == 0;
      return read && unchanged && map.incarnation(entry) == file.incarnation()
          ? PageStamps.stamp(page)
          : PageStamps.NONE;
    }
  }

  /**
   * Has a block of which nobody said that it changed captured when its file is looked at {@link
   * #again}. Without effect where it is not on the local disk.
   */
  public void markDirty(BlockFile file, int block) {
    OptionalInt found = map.find(file.key());
    if (found.isEmpty()) {
      return;
    }
    int entry = found.getAsInt();
    int word = map.word(entry, block);
    while ((word & BlockMap.STATE_MASK) == BlockMap.PRESENT) {
      if (map.casWord(entry, block, word, word | BlockMap.DIRTY)) {
        map.noteDirty(entry, block);
        return;
      }
      word = map.word(entry, block);
    }
  }

  private static BlockFile newer(BlockFile a, BlockFile b) {
    return Integer.compareUnsigned(a.incarnation(), b.incarnation()) > 0 ? a : b;
  }

  /** How many blocks were handed over, each counted once. */
  public int blocks() {
    return captured.values().stream().mapToInt(BitSet::cardinality).sum();
  }

  /** The manifest is committed: what was read and not written since is clean. */
  public void commit() {
    finish(0);
  }

  /** The capture is given up: what was read is dirty again. */
  public void abort() {
    finish(BlockMap.DIRTY);
  }

  private void finish(int dirty) {
    captured.forEach((entry, blocks) ->
        blocks.stream()
            .forEach(block -> {
              int word;
              do {
                word = map.word(entry, block);
              } while (!map.casWord(entry, block, word, (word & ~BlockMap.CAPTURING) | dirty));
              if (dirty != 0) {
                map.noteDirty(entry, block);
              }
            }));
    captured.clear();
  }

  /** The entry's file as it is captured; null where there is none. */
  private @Nullable BlockFile captureFile(int entry, PageVisitor visitor) throws IOException {
    long deadline = System.nanoTime() + settleNanos;
    while (true) {
      FileStatus status = map.find(entry);
      if (status == null || status.phase() == Phase.UNLINKED) {
        return null;
      }
      FileKey key = status.key();
      if (status.phase() == Phase.VIRTUAL
          || (status.phase() == Phase.LIVE && !status.touched() && !status.sizeChanged())) {
        return new BlockFile(key, status.incarnation(), status.blocks());
      }
      if (status.phase() == Phase.LIVE) {
        int blocks = captureLive(entry, status, visitor);
        if (blocks >= 0 && map.incarnation(entry) == status.incarnation()) {
          return new BlockFile(key, status.incarnation(), blocks);
        }
      }
      pause(deadline, key + " does not settle");
    }
  }

  /** The file's size, or -1 if it has gone meanwhile. */
  private int captureLive(int entry, FileStatus status, PageVisitor visitor) throws IOException {
    // The size first: a block is dirty before the size rises to include it.
    int claimed = map.sizeBlocks(entry);
    try (FileChannel channel = files.openToRead(status.key())) {
      if (channel == null) {
        return -1;
      }
      int onDisk = (int) ((channel.size() + FileKey.BLOCK_BYTES - 1) / FileKey.BLOCK_BYTES);
      int blocks = Math.min(claimed, onDisk);
      end = blocks;
      for (int half = 0; half < 2; half++) {
        long chunks = map.takeDirtyChunks(entry, half);
        try {
          while (chunks != 0) {
            int chunk = half * 64 + Long.numberOfTrailingZeros(chunks);
            if (!captureChunk(entry, status, chunk, blocks, channel, visitor)) {
              return -1;
            }
            chunks &= chunks - 1;
          }
        } finally {
          // Chunks not looked at are still to be looked at.
          for (; chunks != 0; chunks &= chunks - 1) {
            int chunk = half * 64 + Long.numberOfTrailingZeros(chunks);
            map.noteDirty(entry, chunk * BlockMap.CHUNK_BLOCKS);
          }
        }
      }
      return end;
    }
  }

  /** False where the entry is another incarnation's by now. */
  private boolean captureChunk(
      int entry, FileStatus status, int chunk, int blocks, FileChannel channel, PageVisitor visitor)
      throws IOException {
    int first = chunk * BlockMap.CHUNK_BLOCKS;
    for (int block = first; block < first + BlockMap.CHUNK_BLOCKS; block++) {
      if ((map.word(entry, block) & BlockMap.DIRTY) == 0) {
        continue;
      }
      Outcome outcome =
          block >= blocks
              ? Outcome.BEYOND_THE_END
              : captureBlock(entry, status.incarnation(), block, channel);
      switch (outcome) {
        case READ -> {
          stamps.put(status.key(), status.incarnation(), block, page);
          visitor.page(status.key(), status.incarnation(), block, page);
        }
        // Dirty until the file reaches it again. Where it was truncated meanwhile it counts as
        // shorter: a manifest must not have a block without its page, while replay, which has
        // the truncation before it, makes do with a file that is too short.
        case BEYOND_THE_END -> {
          end = Math.min(end, block);
          map.noteDirty(entry, block);
        }
        case OTHER_FILE -> {
          return false;
        }
      }
    }
    return true;
  }

  private enum Outcome {
    READ,
    BEYOND_THE_END,
    OTHER_FILE
  }

  /** Reads one dirty block in a settled version. */
  private Outcome captureBlock(int entry, int incarnation, int block, FileChannel channel)
      throws IOException {
    long deadline = System.nanoTime() + settleNanos;
    while (true) {
      int word = map.word(entry, block);
      boolean settled =
          (word & BlockMap.WRITERS_MASK) == 0 && (word & BlockMap.STATE_MASK) != BlockMap.FILLING;
      int claimed = (word & ~BlockMap.DIRTY) | BlockMap.CAPTURING;
      if (settled && map.casWord(entry, block, word, claimed)) {
        captured.computeIfAbsent(entry, _ -> new BitSet()).set(block);
        if (map.incarnation(entry) != incarnation) {
          // What was claimed is the block of a file that came after ours: it is still to be read.
          giveBack(entry, block);
          return Outcome.OTHER_FILE;
        }
        boolean whole = LocalFiles.readBlock(channel, block, page);
        // Only a reader may have been there.
        if (((map.word(entry, block) ^ claimed) & ~BlockMap.ACCESSED) == 0) {
          if (whole) {
            return Outcome.READ;
          }
          giveBack(entry, block);
          return Outcome.BEYOND_THE_END;
        }
      }
      pause(deadline, "block " + block + " of " + map.key(entry) + " does not settle");
    }
  }

  private void giveBack(int entry, int block) {
    int word;
    do {
      word = map.word(entry, block);
    } while (!map.casWord(entry, block, word, (word & ~BlockMap.CAPTURING) | BlockMap.DIRTY));
    BitSet blocks = captured.get(entry);
    if (blocks != null) {
      blocks.clear(block);
    }
  }

  private static void pause(long deadline, String problem) throws IOException {
    if (System.nanoTime() - deadline > 0) {
      throw new IOException(problem);
    }
    if (Thread.currentThread().isInterrupted()) {
      throw new InterruptedIOException("interrupted while " + problem);
    }
    LockSupport.parkNanos(PAUSE_NANOS);
  }
}
