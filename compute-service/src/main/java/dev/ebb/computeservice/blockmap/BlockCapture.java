package dev.ebb.computeservice.blockmap;

import dev.ebb.computeservice.blockmap.FileStatus.Phase;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;

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
  private final ByteBuffer page = ByteBuffer.allocateDirect(FileKey.BLOCK_BYTES);

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
    List<BlockFile> table = new ArrayList<>();
    for (int entry : map.entries()) {
      BlockFile file = captureFile(entry, visitor);
      if (file.blocks() >= 0) {
        table.add(file);
      }
    }
    table.sort((a, b) -> a.key().compareTo(b.key()));
    return table;
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

  /** The file with a size of -1 if it does not exist. */
  private BlockFile captureFile(int entry, PageVisitor visitor) throws IOException {
    long deadline = System.nanoTime() + settleNanos;
    while (true) {
      FileStatus status = map.status(entry);
      FileKey key = status.key();
      if (status.phase() == Phase.UNLINKED) {
        return new BlockFile(key, status.incarnation(), -1);
      }
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
      for (int half = 0; half < 2; half++) {
        long chunks = map.takeDirtyChunks(entry, half);
        try {
          while (chunks != 0) {
            int chunk = half * 64 + Long.numberOfTrailingZeros(chunks);
            captureChunk(entry, status, chunk, blocks, channel, visitor);
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
      return blocks;
    }
  }

  private void captureChunk(
      int entry, FileStatus status, int chunk, int blocks, FileChannel channel, PageVisitor visitor)
      throws IOException {
    int first = chunk * BlockMap.CHUNK_BLOCKS;
    for (int block = first; block < first + BlockMap.CHUNK_BLOCKS; block++) {
      if ((map.word(entry, block) & BlockMap.DIRTY) == 0) {
        continue;
      }
      if (block >= blocks || !captureBlock(entry, block, channel)) {
        map.noteDirty(entry, block); // beyond the end: dirty until the file reaches it again
        continue;
      }
      visitor.page(status.key(), status.incarnation(), block, page);
    }
  }

  /** Reads one dirty block in a settled version; false if the file now ends before it. */
  private boolean captureBlock(int entry, int block, FileChannel channel) throws IOException {
    long deadline = System.nanoTime() + settleNanos;
    while (true) {
      int word = map.word(entry, block);
      boolean settled =
          (word & BlockMap.WRITERS_MASK) == 0 && (word & BlockMap.STATE_MASK) != BlockMap.FILLING;
      int claimed = (word & ~BlockMap.DIRTY) | BlockMap.CAPTURING;
      if (settled && map.casWord(entry, block, word, claimed)) {
        captured.computeIfAbsent(entry, _ -> new BitSet()).set(block);
        boolean whole = LocalFiles.readBlock(channel, block, page);
        if (map.word(entry, block) == claimed) {
          if (whole) {
            return true;
          }
          giveBack(entry, block);
          return false;
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
