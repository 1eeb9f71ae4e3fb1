package dev.ebb.computeservice.blockmap;

import dev.ebb.computeservice.blockmap.BlockState.Presence;
import dev.ebb.computeservice.blockmap.FileStatus.Phase;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.FileKey.Kind;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The agent's side of the arena, the one memory-mapped file in which shim and agent keep a word for
 * each block of each file. {@code src/main/native/arena.h} describes the layout and the protocol;
 * the constants below repeat it and the version changes with it.
 *
 * <pre>
 * header (4096 bytes) | base entries, 64 bytes each, sorted by key | new entries, a hash table
 *                     | 131072 words of 4 bytes for each entry, sparse
 * </pre>
 *
 * <p>The file is sparse and should lie on a memory file system: words are touched only where blocks
 * are. Its size, about 512 kB an entry, counts against a limit on address space but not on memory.
 *
 * <p>Safe for use by many threads; after {@link #close} every call throws {@link
 * IllegalStateException}.
 */
public final class BlockMap implements AutoCloseable {

  static final int WORDS_PER_ENTRY = ArenaLayout.WORDS_PER_ENTRY;
  static final int CHUNK_BLOCKS = ArenaLayout.CHUNK_BLOCKS;

  /** Room for files made since the snapshot that exist at one time: 64 Ki. */
  public static final int DEFAULT_NEW_CAPACITY = ArenaLayout.MAX_NEW_CAPACITY;

  static final int UNTOUCHED = 0;
  static final int FILLING = 1;
  static final int PRESENT = 2;
  static final int ABSENT = 3;
  static final int STATE_MASK = 3;
  static final int DIRTY = 4;
  static final int CAPTURING = 8;
  static final int WRITERS_MASK = 0x70;
  static final int ACCESSED = 0x80;
  static final int VERSION_ONE = 0x100;

  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
  private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

  private final FileChannel file;
  private final Arena lifetime;
  private final MemorySegment memory;
  private final int baseCount;
  private final int newCapacity;
  private final long newOffset;
  private final long wordsOffset;

  private BlockMap(FileChannel file, Arena lifetime, MemorySegment memory) {
    this.file = file;
    this.lifetime = lifetime;
    this.memory = memory;
    this.baseCount = memory.get(ValueLayout.JAVA_INT, ArenaLayout.H_BASE_COUNT);
    this.newCapacity = memory.get(ValueLayout.JAVA_INT, ArenaLayout.H_NEW_CAPACITY);
    this.newOffset = memory.get(ValueLayout.JAVA_LONG, ArenaLayout.H_NEW_OFFSET);
    this.wordsOffset = memory.get(ValueLayout.JAVA_LONG, ArenaLayout.H_WORDS_OFFSET);
  }

  /**
   * Makes the arena of one compute, before its {@code postgres} starts. Every file starts virtual:
   * not on the local disk, all its blocks absent.
   *
   * @param file the arena's file; must not exist. This process's alone until it is given away
   * @param generation the primary's generation, for whoever looks at the file later
   * @param nextIncarnation larger than every incarnation in {@code files}
   * @param files the files of the snapshot, sorted by key, without duplicates
   * @param newCapacity how many files that are not in {@code files} may exist at one time: a power
   *     of two
   */
  public static BlockMap create(
      Path file, long generation, int nextIncarnation, List<BlockFile> files, int newCapacity)
      throws IOException {
    FileChannel channel = ArenaLayout.write(file, generation, nextIncarnation, files, newCapacity);
    try {
      return map(channel);
    } catch (IOException | RuntimeException e) {
      channel.close();
      Files.deleteIfExists(file);
      throw e;
    }
  }

  @SuppressWarnings("MustBeClosedChecker") // the map owns it, and closes it
  private static BlockMap map(FileChannel channel) throws IOException {
    Arena lifetime = Arena.ofShared();
    try {
      MemorySegment memory = channel.map(MapMode.READ_WRITE, 0, channel.size(), lifetime);
      return new BlockMap(channel, lifetime, memory);
    } catch (IOException | RuntimeException e) {
      lifetime.close();
      throw e;
    }
  }

  /** How many files the snapshot had; their entries are 0 to this, exclusive. */
  public int baseCount() {
    return baseCount;
  }

  /** A number larger than every incarnation so far, for the next manifest. */
  public int nextIncarnation() {
    return (int) INT.getVolatile(memory, (long) ArenaLayout.H_NEXT_INCARNATION);
  }

  /** The postmaster's process id, 0 before it has started. */
  public int postmasterPid() {
    return (int) INT.getVolatile(memory, (long) ArenaLayout.H_POSTMASTER_PID);
  }

  /** From now on every miss in {@code postgres} fails at once instead of waiting for the agent. */
  public void refuseMisses() {
    INT.getAndBitwiseOr(memory, (long) ArenaLayout.H_FLAGS, ArenaLayout.FLAG_CLOSED);
  }

  public ShimStatistics statistics() {
    return new ShimStatistics(
        stat(0), stat(1), stat(2), stat(3), stat(4), stat(5), stat(6), stat(7), stat(8), stat(9),
        stat(10));
  }

  /** By how many blocks the shim has extended files, or filled absent ones by writing them. */
  long blocksMadeByWriters() {
    return (long) LONG.getVolatile(memory, (long) ArenaLayout.H_APPENDED) + stat(3);
  }

  /** Before the first block is evicted: a read of an unlinked file may meet a hole from now on. */
  void noteEvictions() {
    INT.getAndBitwiseOr(memory, (long) ArenaLayout.H_FLAGS, ArenaLayout.FLAG_EVICTS);
  }

  private long stat(int index) {
    return (long) LONG.getVolatile(memory, (long) ArenaLayout.H_STATS + 8L * index);
  }

  /**
   * The entry of a file of the snapshot, or of one created since; also when it is unlinked. One
   * that was created since may be another file's by the time that it is looked at.
   */
  public OptionalInt find(FileKey key) {
    int low = 0;
    int high = baseCount - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      int order = key(middle).compareTo(key);
      if (order == 0) {
        return OptionalInt.of(middle);
      }
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return findNew(key);
  }

  private OptionalInt findNew(FileKey key) {
    int at = hash(key) & (newCapacity - 1);
    for (int probes = 0; probes < newCapacity; probes++) {
      int entry = baseCount + at;
      if (!isUsed(at)) {
        break;
      }
      if (RawKey.of(this, entry).is(key)) {
        return OptionalInt.of(entry);
      }
      at = (at + 1) & (newCapacity - 1);
    }
    return OptionalInt.empty();
  }

  /** Whether a place of the new table has a name; what is not backed must not be touched. */
  private boolean isUsed(int slot) {
    int page = slot / ArenaLayout.ENTRIES_PER_PAGE;
    long backed =
        (long) LONG.getVolatile(memory, (long) ArenaLayout.H_TABLE_BACKED + 8L * (page >> 6));
    return (backed & (1L << (page & 63))) != 0
        && intAt(baseCount + slot, ArenaLayout.E_SLOT) == ArenaLayout.SLOT_USED;
  }

  /** As {@code hash} in arena.c. */
  private static int hash(FileKey key) {
    long h = 0x9E3779B97F4A7C15L;
    int[] parts = {
      key.kind().code(), key.database(), key.relation(), key.fork(), key.segment(),
    };
    for (int part : parts) {
      h ^= Integer.toUnsignedLong(part);
      h *= 0xff51afd7ed558ccdL;
      h ^= h >>> 32;
    }
    return (int) h;
  }

  /** One entry as it is now: all of it of one incarnation. It must have a name. */
  public FileStatus status(int entry) {
    FileStatus status = find(entry);
    if (status == null) {
      throw new IllegalArgumentException("entry " + entry + " has no name any more");
    }
    return status;
  }

  /** One entry as it is now; null where it has no name any more, or is just being given one. */
  @Nullable FileStatus find(int entry) {
    while (true) {
      int incarnation = incarnation(entry);
      int state = intAt(entry, ArenaLayout.E_STATE);
      int blocks = sizeBlocks(entry);
      boolean touched = touched(entry);
      RawKey key = RawKey.of(this, entry);
      if (key.kind() == ArenaLayout.NO_KIND) {
        return null;
      }
      if (incarnation(entry) == incarnation) {
        return new FileStatus(
            entry,
            key.toKey(),
            incarnation,
            Phase.ofCode(state & ArenaLayout.PHASE_MASK),
            blocks,
            Integer.compareUnsigned(incarnation, intAt0(ArenaLayout.H_FIRST_NEW_INCARNATION)) < 0,
            touched,
            (state & ArenaLayout.SIZE_CHANGED) != 0);
      }
    }
  }

  /** Every file that exists, on the local disk or only in the snapshot. In no order. */
  public List<FileStatus> files() {
    return select(Selection.EXISTING);
  }

  /** The existing files with a block that became dirty since the last capture looked. */
  public List<FileStatus> dirtyFiles() {
    return select(Selection.DIRTY);
  }

  /** The files of the snapshot whose names are gone. */
  public List<FileStatus> removedFiles() {
    return select(Selection.REMOVED);
  }

  private enum Selection {
    EXISTING,
    DIRTY,
    REMOVED
  }

  private List<FileStatus> select(Selection selection) {
    List<FileStatus> found = new ArrayList<>();
    for (int entry : entries()) {
      FileStatus file = find(entry);
      if (file == null) {
        continue;
      }
      boolean gone = file.phase() == Phase.UNLINKED;
      boolean wanted =
          switch (selection) {
            case EXISTING -> !gone;
            case DIRTY -> !gone && file.touched();
            case REMOVED -> gone && entry < baseCount;
          };
      if (wanted) {
        found.add(file);
      }
    }
    return found;
  }

  /**
   * Every entry that has a name: those of the snapshot, then those of files created since. A file
   * that exists all the while is among them, whatever is made and dropped meanwhile.
   */
  int[] entries() {
    int[] entries = Arrays.copyOf(IntStream.range(0, baseCount).toArray(), baseCount + newCapacity);
    int n = baseCount;
    if (intAt0(ArenaLayout.H_NEW_COUNT) > 0) {
      for (int slot = 0; slot < newCapacity; slot++) {
        if (isUsed(slot)) {
          entries[n++] = baseCount + slot;
        }
      }
    }
    return Arrays.copyOf(entries, n);
  }

  /** One block as it is now. */
  public BlockState blockState(int entry, int block) {
    int word = word(entry, block);
    int state = word & STATE_MASK;
    Presence presence =
        state == FILLING
            ? Presence.FILLING
            : isAbsent(entry, block, word) ? Presence.ABSENT : Presence.PRESENT;
    return new BlockState(
        presence,
        (word & DIRTY) != 0,
        (word & CAPTURING) != 0,
        (word & WRITERS_MASK) >>> 4,
        word >>> 8);
  }

  // ---------------------------------------------------------------- filling

  /**
   * Claims an absent block for filling. The claimant writes its content to the local file and calls
   * {@link #endFill}, soon: truncations, unlinks and writes of the block wait meanwhile.
   *
   * @return false if the block is not absent, is being filled already, or the file has changed
   */
  boolean beginFill(int entry, int incarnation, int block) {
    int word = word(entry, block);
    if (!isAbsent(entry, block, word)
        || !casWord(entry, block, word, (word & ~STATE_MASK) | FILLING)) {
      return false;
    }
    // After the claim: a truncation either sees it and waits, or is seen here (rule 15).
    boolean valid =
        phase(entry) == Phase.LIVE
            && incarnation(entry) == incarnation
            && ((word & STATE_MASK) == ABSENT || block < intAt(entry, ArenaLayout.E_LAZY_BLOCKS));
    if (!valid) {
      setState(entry, block, word & STATE_MASK);
    }
    return valid;
  }

  /** The claimed block's content is in the local file. */
  void endFill(int entry, int block) {
    setState(entry, block, PRESENT);
  }

  /** The claimed block could not be filled: it is absent as before. */
  void abortFill(int entry, int block) {
    setState(entry, block, ABSENT);
  }

  /**
   * Claims a clean block for eviction, as {@link #beginFill} does for filling; then the caller
   * frees its space on the disk and calls {@link #endEvict}.
   */
  boolean beginEvict(int entry, int incarnation, int block) {
    int word = word(entry, block);
    if (!isClean(word)
        || !casWord(
            entry, block, word, ((word & ~(STATE_MASK | ACCESSED)) | FILLING) + VERSION_ONE)) {
      return false;
    }
    // Beyond the end there is nothing to evict, and an extension would find the block absent.
    boolean valid =
        phase(entry) == Phase.LIVE
            && incarnation(entry) == incarnation
            && block < sizeBlocks(entry)
            && !isPinned(entry);
    if (!valid) {
      setState(entry, block, PRESENT);
    }
    return valid;
  }

  /** The claimed block has gone, or may have: it is absent. */
  void endEvict(int entry, int block) {
    setState(entry, block, ABSENT);
  }

  /** Present, and the same as in the newest committed snapshot. */
  static boolean isClean(int word) {
    return (word & (STATE_MASK | DIRTY | CAPTURING | WRITERS_MASK)) == PRESENT;
  }

  /** Whether somebody has read or written the block since it came, or was looked at last. */
  public boolean isAccessed(int entry, int block) {
    return (word(entry, block) & ACCESSED) != 0;
  }

  boolean isFilling(int entry, int block) {
    return (word(entry, block) & STATE_MASK) == FILLING;
  }

  boolean isAbsent(int entry, int block) {
    return isAbsent(entry, block, word(entry, block));
  }

  private boolean isAbsent(int entry, int block, int word) {
    int state = word & STATE_MASK;
    return state == ABSENT
        || (state == UNTOUCHED && block < intAt(entry, ArenaLayout.E_LAZY_BLOCKS));
  }

  private void setState(int entry, int block, int state) {
    int word;
    do {
      word = word(entry, block);
    } while (!casWord(entry, block, word, (word & ~STATE_MASK) | state));
  }

  // ---------------------------------------------------------------- capturing

  /** Takes the mask of chunks that became dirty: whoever takes it must look at all their words. */
  long takeDirtyChunks(int entry, int half) {
    return (long)
        LONG.getAndSet(memory, entryAt(entry) + ArenaLayout.E_DIRTY_CHUNKS + 8L * half, 0L);
  }

  void noteDirty(int entry, int block) {
    int chunk = block / CHUNK_BLOCKS;
    LONG.getAndBitwiseOr(
        memory,
        entryAt(entry) + ArenaLayout.E_DIRTY_CHUNKS + 8L * (chunk >> 6),
        1L << (chunk & 63));
  }

  /** A block's word. One that has no memory behind it is untouched. */
  int word(int entry, int block) {
    long at = wordAt(entry, block);
    return isBacked(entry, block) ? (int) INT.getVolatile(memory, at) : UNTOUCHED;
  }

  /** False where it is another by now; also where the block's file is not on the local disk yet. */
  boolean casWord(int entry, int block, int expected, int next) {
    long at = wordAt(entry, block);
    return isBacked(entry, block) && INT.compareAndSet(memory, at, expected, next);
  }

  private boolean isBacked(int entry, int block) {
    return block < backedBlocks(entry);
  }

  /** No word at or above this block has ever been touched. */
  int backedBlocks(int entry) {
    return intAt(entry, ArenaLayout.E_BACKED_BLOCKS);
  }

  /**
   * Puts memory behind the words of a file's blocks, before the file is made: a write can fail
   * where the first touch of a mapped page would be a SIGBUS. For who holds the phase of an entry
   * that was VIRTUAL, of which nobody has touched a word.
   */
  void backWords(int entry) throws IOException {
    int backed = intAt(entry, ArenaLayout.E_BACKED_BLOCKS);
    int wanted = (sizeBlocks(entry) + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS * CHUNK_BLOCKS;
    if (wanted <= backed) {
      return;
    }
    long at = wordAt(entry, backed);
    ByteBuffer zeroes = ByteBuffer.allocate(ArenaLayout.PAGE_BYTES);
    for (long end = at + (wanted - backed) * 4L; at < end; ) {
      zeroes.clear();
      at += file.write(zeroes, at);
    }
    INT.setVolatile(memory, entryAt(entry) + ArenaLayout.E_BACKED_BLOCKS, wanted);
  }

  // ---------------------------------------------------------------- entries

  boolean move(int entry, Phase from, Phase to) {
    while (true) {
      int state = intAt(entry, ArenaLayout.E_STATE);
      if ((state & ArenaLayout.PHASE_MASK) != from.code()) {
        return false;
      }
      if (INT.compareAndSet(
          memory,
          entryAt(entry) + ArenaLayout.E_STATE,
          state,
          (state & ~ArenaLayout.PHASE_MASK) | to.code())) {
        return true;
      }
    }
  }

  Phase phase(int entry) {
    return Phase.ofCode(intAt(entry, ArenaLayout.E_STATE) & ArenaLayout.PHASE_MASK);
  }

  /** Whether no block of it may be evicted. */
  boolean isPinned(int entry) {
    return (intAt(entry, ArenaLayout.E_STATE) & ArenaLayout.PINNED) != 0;
  }

  public int incarnation(int entry) {
    return intAt(entry, ArenaLayout.E_INCARNATION);
  }

  public int sizeBlocks(int entry) {
    return intAt(entry, ArenaLayout.E_SIZE_BLOCKS);
  }

  /**
   * The file's name: of the incarnation that the entry has now, unless its fill is claimed, or its
   * phase held, by the caller.
   */
  public FileKey key(int entry) {
    while (true) {
      int incarnation = incarnation(entry);
      RawKey key = RawKey.of(this, entry);
      if (incarnation(entry) == incarnation) {
        return key.toKey();
      }
    }
  }

  /** A key as it was read, part by part: it may be none, where it was changed meanwhile. */
  private record RawKey(int kind, int database, int relation, int fork, int segment) {

    static RawKey of(BlockMap map, int entry) {
      return new RawKey(
          map.intAt(entry, ArenaLayout.E_KIND),
          map.intAt(entry, ArenaLayout.E_DATABASE),
          map.intAt(entry, ArenaLayout.E_RELATION),
          map.intAt(entry, ArenaLayout.E_FORK),
          map.intAt(entry, ArenaLayout.E_SEGMENT));
    }

    boolean is(FileKey key) {
      return relation == key.relation()
          && segment == key.segment()
          && fork == key.fork()
          && database == key.database()
          && kind == key.kind().code();
    }

    FileKey toKey() {
      return new FileKey(Kind.ofCode(kind), database, relation, fork, segment);
    }
  }

  private boolean touched(int entry) {
    long at = entryAt(entry) + ArenaLayout.E_DIRTY_CHUNKS;
    return (long) LONG.getVolatile(memory, at) != 0 || (long) LONG.getVolatile(memory, at + 8) != 0;
  }

  private int intAt(int entry, int field) {
    return (int) INT.getVolatile(memory, entryAt(entry) + field);
  }

  private int intAt0(int field) {
    return (int) INT.getVolatile(memory, (long) field);
  }

  private long entryAt(int entry) {
    if (entry < 0 || entry >= baseCount + newCapacity) {
      throw new IllegalArgumentException("no such entry: " + entry);
    }
    return entry < baseCount
        ? ArenaLayout.HEADER_BYTES + (long) entry * ArenaLayout.ENTRY_BYTES
        : newOffset + (long) (entry - baseCount) * ArenaLayout.ENTRY_BYTES;
  }

  private long wordAt(int entry, int block) {
    if (block < 0 || block >= WORDS_PER_ENTRY || entry < 0 || entry >= baseCount + newCapacity) {
      throw new IllegalArgumentException("no such block: " + block + " of entry " + entry);
    }
    return wordsOffset + ((long) entry * WORDS_PER_ENTRY + block) * 4L;
  }

  /** Unmaps the arena; its file is the caller's to delete. */
  @Override
  public void close() {
    lifetime.close();
    try {
      file.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
