package dev.ebb.computeservice.blockmap;

import dev.ebb.computeservice.blockmap.FileStatus.Phase;
import dev.ebb.shared.page.FileKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The agent's hand on the files of a data directory: makes them, fills absent blocks, gives blocks
 * back. {@link BlockMap} says what may be done to which block.
 */
public final class LocalFiles {

  /**
   * Blocks fetched and written in one piece: 384 kB, so that neither they nor what they are decoded
   * from are large objects to the collector (half a region, 512 kB in a heap of 1 GB).
   */
  public static final int RUN_BLOCKS = 48;

  private static final int WRITE_LOCKS = 64;

  private static final long PAUSE_NANOS = 50_000;

  private final BlockMap map;
  private final Path dataDirectory;
  private final @Nullable UserPrincipal owner;
  private final LongAdder blocksFilled = new LongAdder();

  /** Writers of one file would spin in the kernel for its lock: here they sleep. */
  private final ReentrantLock[] writeLocks = new ReentrantLock[WRITE_LOCKS];

  /**
   * @param owner who owns the files made here: the user that {@code postgres} runs as, or null if
   *     that is this process's own
   */
  public LocalFiles(BlockMap map, Path dataDirectory, @Nullable UserPrincipal owner) {
    this.map = map;
    this.dataDirectory = dataDirectory;
    this.owner = owner;
    Arrays.setAll(writeLocks, i -> new ReentrantLock());
  }

  /** The block map of this data directory. */
  public BlockMap map() {
    return map;
  }

  /**
   * Makes the sparse file of an entry if it exists only in the snapshot. Its directory must exist.
   */
  public void materialise(int entry) throws IOException {
    if (!map.move(entry, Phase.VIRTUAL, Phase.MATERIALISING)) {
      return;
    }
    Phase outcome = Phase.VIRTUAL;
    try {
      map.backWords(entry);
      Path path = path(map.key(entry));
      Files.createFile(
          path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      int blocks = map.sizeBlocks(entry);
      if (blocks > 0) {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
          // A byte at the end makes the file as long as it has to be; the block stays absent.
          channel.write(ByteBuffer.wrap(new byte[1]), (long) blocks * FileKey.BLOCK_BYTES - 1);
        }
      }
      if (owner != null) {
        Files.getFileAttributeView(path, PosixFileAttributeView.class).setOwner(owner);
      }
      outcome = Phase.LIVE;
    } finally {
      map.move(entry, Phase.MATERIALISING, outcome);
    }
  }

  /**
   * Brings the absent ones of these blocks into the local file. Returns when none of them is absent
   * or being filled any more, or when the file has changed its incarnation. Blocks that another
   * call is filling are waited for, not fetched twice.
   *
   * @param incarnation the file's, as the caller knows it
   * @param timeoutMs bound on waiting for fills by others
   * @return how many were fetched by this call
   * @throws DamagedBlocks if some of them are damaged where they are stored: these stay absent, all
   *     others are there
   */
  public int fill(
      int entry, int incarnation, int firstBlock, int count, PageSource source, long timeoutMs)
      throws IOException {
    return fill(entry, incarnation, firstBlock, count, source, Piece.BLOCK, timeoutMs);
  }

  /** In which pieces blocks are written to the local file. */
  public enum Piece {
    /**
     * The kernel keeps what is written at once in one piece of its page cache, and each later write
     * of a block looks at all of the piece it lies in (ext4, xfs).
     */
    BLOCK,

    /** For a scan: written and read with less work. */
    RUN
  }

  /** As above, in pieces of the caller's choice. */
  public int fill(
      int entry,
      int incarnation,
      int firstBlock,
      int count,
      PageSource source,
      Piece piece,
      long timeoutMs)
      throws IOException {
    if (firstBlock < 0 || count < 0 || firstBlock + count > BlockMap.WORDS_PER_ENTRY) {
      throw new IllegalArgumentException("not blocks of a file: " + firstBlock + " + " + count);
    }
    int end = firstBlock + count;
    int block = firstBlock;
    int fetched = 0;
    DamagedBlocks damaged = null;
    while (block < end) {
      int run = 0;
      while (run < RUN_BLOCKS
          && block + run < end
          && map.beginFill(entry, incarnation, block + run)) {
        run++;
      }
      if (run == 0) {
        block++;
        continue;
      }
      try {
        fillClaimed(entry, incarnation, block, run, source, piece);
        fetched += run;
      } catch (DamagedBlocks e) {
        damaged = damaged == null ? e : damaged;
      }
      block += run;
    }
    long deadline = System.nanoTime() + timeoutMs * 1_000_000;
    for (block = firstBlock; block < end; block++) {
      while (map.isFilling(entry, block)) {
        if (System.nanoTime() - deadline > 0) {
          throw new IOException("block " + block + " of " + map.key(entry) + " stays in filling");
        }
        LockSupport.parkNanos(PAUSE_NANOS);
      }
    }
    if (damaged != null) {
      throw damaged;
    }
    return fetched;
  }

  /** How many blocks have come to the local disk since the start: fetched, or made by writers. */
  public long blocksAdded() {
    return blocksFilled.sum() + map.blocksMadeByWriters();
  }

  private void fillClaimed(
      int entry, int incarnation, int first, int run, PageSource source, Piece piece)
      throws IOException {
    DamagedBlocks damaged = null;
    int done = 0;
    try {
      FileKey key = map.key(entry);
      byte[] pages;
      try {
        pages = source.read(key, incarnation, first, run);
      } catch (DamagedBlocks e) {
        damaged = e;
        pages = e.pages();
      }
      if (pages.length != run * FileKey.BLOCK_BYTES) {
        throw new IOException(
            "page source gave " + pages.length + " bytes for " + run + " blocks of " + key);
      }
      try (FileChannel channel = open(key, StandardOpenOption.WRITE)) {
        while (done < run) {
          if (damaged != null && damaged.isDamaged(first + done)) {
            map.abortFill(entry, first + done);
            done++;
            continue;
          }
          int blocks = piece == Piece.RUN && damaged == null ? run - done : 1;
          write(entry, channel, pages, done, first + done, blocks);
          for (int end = done + blocks; done < end; done++) {
            map.endFill(entry, first + done);
          }
          blocksFilled.add(blocks);
        }
      }
    } finally {
      for (; done < run; done++) {
        map.abortFill(entry, first + done);
      }
    }
    if (damaged != null) {
      throw damaged;
    }
  }

  private void write(int entry, FileChannel channel, byte[] pages, int index, int block, int blocks)
      throws IOException {
    ByteBuffer piece =
        ByteBuffer.wrap(pages, index * FileKey.BLOCK_BYTES, blocks * FileKey.BLOCK_BYTES);
    long at = (long) block * FileKey.BLOCK_BYTES;
    ReentrantLock lock = writeLocks[entry % WRITE_LOCKS];
    lock.lock();
    try {
      while (piece.hasRemaining()) {
        at += channel.write(piece, at);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Reads blocks from the local file; empty where one of them is not there. Only while nobody
   * writes to the file: after PostgreSQL has stopped.
   */
  public Optional<byte[]> readPresent(FileKey key, int incarnation, int firstBlock, int count)
      throws IOException {
    OptionalInt entry = map.find(key);
    if (entry.isEmpty() || map.incarnation(entry.getAsInt()) != incarnation) {
      return Optional.empty();
    }
    var pages = new byte[count * FileKey.BLOCK_BYTES];
    ByteBuffer page = ByteBuffer.allocate(FileKey.BLOCK_BYTES);
    try (FileChannel channel = openToRead(key)) {
      for (int i = 0; i < count; i++) {
        if (channel == null
            || map.isAbsent(entry.getAsInt(), firstBlock + i)
            || !readBlock(channel, firstBlock + i, page)) {
          return Optional.empty();
        }
        page.get(pages, i * FileKey.BLOCK_BYTES, FileKey.BLOCK_BYTES);
      }
    }
    return Optional.of(pages);
  }

  /**
   * Reads a block from the local file.
   *
   * @return false if the file ends before the end of the block, or is gone
   */
  static boolean readBlock(FileChannel channel, int block, ByteBuffer page) throws IOException {
    page.clear().limit(FileKey.BLOCK_BYTES);
    long at = (long) block * FileKey.BLOCK_BYTES;
    while (page.hasRemaining()) {
      int n = channel.read(page, at + page.position());
      if (n < 0) {
        return false;
      }
    }
    page.flip();
    return true;
  }

  /** The file on the local disk, or null if there is none under this name. */
  @Nullable FileChannel openToRead(FileKey key) throws IOException {
    try {
      return open(key, StandardOpenOption.READ);
    } catch (NoSuchFileException _) {
      return null;
    }
  }

  private FileChannel open(FileKey key, OpenOption option) throws IOException {
    return FileChannel.open(path(key), Set.of(option));
  }

  Path path(FileKey key) {
    return dataDirectory.resolve(key.path());
  }
}
