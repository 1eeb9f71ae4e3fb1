package dev.ebb.computeservice.blockmap;

import dev.ebb.computeservice.blockmap.FileStatus.Phase;
import dev.ebb.shared.page.FileKey;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Gives clean blocks of one compute back to the disk (storage rule 14): those that the newest
 * committed snapshot has as they are, so that they can be had again. The choice is CLOCK's: a hand
 * goes round over all words and takes the blocks that nobody has read or written since it came by
 * last.
 *
 * <p>Left alone are: the commit log and its like, which PostgreSQL reads where an error is a PANIC;
 * what is dirty, being captured, written or filled; and, as long as there is anything else, the
 * catalog, which every session needs first.
 *
 * <p>One at a time for each block map; for one thread at a time.
 */
public final class BlockEviction {
  /** Blocks that are freed at once: 1 MB. */
  private static final int RUN_BLOCKS = 128;

  /** Relations below this number were made by initdb: the catalog; {@code FirstNormalObjectId}. */
  private static final int FIRST_NORMAL = 16384;

  /** The users' data in the catalog: {@code pg_largeobject.h}. */
  private static final int LARGE_OBJECTS = 2613;

  private final LocalFiles files;
  private final BlockMap map;

  /** The hand: the entry, and the block in it, to be looked at next. */
  private int handEntry;

  private int handBlock;

  public BlockEviction(LocalFiles files) {
    this.files = files;
    this.map = files.map();
  }

  /** Whether the file system of a directory can free parts of files. */
  public static boolean worksIn(Path directory) throws IOException {
    return HolePunch.worksIn(directory);
  }

  /**
   * What is on the local disk.
   *
   * @param bytes of blocks that are there, or on their way
   * @param changedBytes of those of them that no committed snapshot has as they are
   */
  public record Present(long bytes, long changedBytes) {}

  /** Looks at every word. */
  public Present present() {
    long present = 0;
    long changed = 0;
    for (int entry : map.entries()) {
      if (map.phase(entry) == Phase.VIRTUAL) {
        continue;
      }
      int end = Math.min(map.sizeBlocks(entry), map.backedBlocks(entry));
      for (int block = 0; block < end; block++) {
        int word = map.word(entry, block);
        int state = word & BlockMap.STATE_MASK;
        if (state == BlockMap.PRESENT || state == BlockMap.FILLING) {
          present++;
        }
        if (state == BlockMap.PRESENT && !BlockMap.isClean(word)) {
          changed++;
        }
      }
    }
    return new Present(present * FileKey.BLOCK_BYTES, changed * FileKey.BLOCK_BYTES);
  }

  /**
   * Frees blocks, going round twice at most: the first round may find everything in use.
   *
   * @param catalog whether the catalog's may go, too
   * @return how many bytes were freed; less than wanted where there is no more to be had
   * @throws IOException where the file system refuses; some blocks may be gone all the same
   */
  public long evict(long wantedBytes, boolean catalog) throws IOException {
    map.noteEvictions();
    int wanted = Math.toIntExact((wantedBytes + FileKey.BLOCK_BYTES - 1) / FileKey.BLOCK_BYTES);
    int freed = 0;
    int[] entries = map.entries();
    int at = 0;
    while (at < entries.length && entries[at] < handEntry) {
      at++;
    }
    for (int visits = 0; visits <= 2 * entries.length && freed < wanted; visits++) {
      if (at >= entries.length) {
        at = 0;
      }
      if (entries[at] != handEntry) {
        handEntry = entries[at];
        handBlock = 0;
      }
      freed += sweep(handEntry, wanted - freed, catalog);
      if (freed < wanted) {
        at++;
        handBlock = 0;
      }
    }
    return (long) freed * FileKey.BLOCK_BYTES;
  }

  /** Goes over one file from the hand on; stops where enough is freed. */
  private int sweep(int entry, int wanted, boolean catalog) throws IOException {
    FileStatus file = map.phase(entry) == Phase.LIVE ? map.find(entry) : null;
    int end = file == null ? 0 : Math.min(file.blocks(), map.backedBlocks(entry));
    if (file == null || handBlock >= end || !mayGo(file.key(), catalog)) {
      return 0;
    }
    try (var claims = new Claims(entry, file)) {
      for (; handBlock < end && claims.freed() < wanted; handBlock++) {
        if (!claims.take(handBlock, wanted)) {
          claims.release();
        }
      }
      claims.release();
      return claims.freed();
    }
  }

  private static boolean mayGo(FileKey key, boolean catalog) {
    return key.kind() == FileKey.Kind.RELATION
        && (catalog
            || Integer.compareUnsigned(key.relation(), FIRST_NORMAL) >= 0
            || key.relation() == LARGE_OBJECTS);
  }

  /** A run of claimed blocks of one file, freed together. */
  private final class Claims implements AutoCloseable {
    private final int entry;
    private final FileStatus file;
    private final Path path;

    /** Of this very incarnation: opened under a claim, which unlinks wait for. */
    private @Nullable HolePunch open;

    private int first;
    private int count;
    private int freed;

    Claims(int entry, FileStatus file) {
      this.entry = entry;
      this.file = file;
      this.path = files.path(file.key());
    }

    int freed() {
      return freed;
    }

    /** Adds the next block to the run; false where it stays. */
    boolean take(int block, int wanted) throws IOException {
      int word = map.word(entry, block);
      if (!BlockMap.isClean(word)) {
        return false;
      }
      if ((word & BlockMap.ACCESSED) != 0) {
        // A second chance. Where somebody is quicker, it has been used again.
        map.casWord(entry, block, word, word & ~BlockMap.ACCESSED);
        return false;
      }
      if (!map.beginEvict(entry, file.incarnation(), block)) {
        return false;
      }
      if (count == 0) {
        first = block;
      }
      count++;
      if (count == RUN_BLOCKS || freed + count >= wanted) {
        release();
      }
      return true;
    }

    /** Frees the run. */
    void release() throws IOException {
      if (count == 0) {
        return;
      }
      try {
        HolePunch punch = open;
        if (punch == null) {
          punch = HolePunch.open(path);
          open = punch;
        }
        punch.punch(path, (long) first * FileKey.BLOCK_BYTES, (long) count * FileKey.BLOCK_BYTES);
        freed += count;
      } catch (NoSuchFileException e) {
        throw new IOException(path + " is not there, but the block map has it", e);
      } finally {
        // Also where it failed: what is left of the content then, nobody knows.
        for (int block = first; block < first + count; block++) {
          map.endEvict(entry, block);
        }
        count = 0;
      }
    }

    @Override
    public void close() {
      HolePunch punch = open;
      if (punch != null) {
        punch.close();
      }
    }
  }
}
