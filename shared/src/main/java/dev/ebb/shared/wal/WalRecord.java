package dev.ebb.shared.wal;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalException.Problem;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One record whose checksum is right: its header, its references to blocks, its main data. A view
 * that its reader uses again for the next record. Layout: {@code src/include/access/xlogrecord.h};
 * what is checked is what {@code DecodeXLogRecord} of {@code xlogreader.c} checks.
 *
 * <p>Numbers are unsigned where PostgreSQL's are.
 */
public final class WalRecord {
  /** {@code XLR_MAX_BLOCK_ID}. */
  private static final int MAX_BLOCK_ID = 32;

  private static final int ID_DATA_SHORT = 255;
  private static final int ID_DATA_LONG = 254;
  private static final int ID_ORIGIN = 253;
  private static final int ID_TOP_LEVEL_XID = 252;

  private static final WalBlock[] NO_BLOCKS = {};
  private static final byte[] NO_BYTES = new byte[WalFormat.RECORD_HEADER_BYTES];

  /** All that there can be, from the first one on that is needed. */
  private WalBlock[] blocks = NO_BLOCKS;

  private byte[] bytes = NO_BYTES;
  private int offset;
  private int total;
  private int kept;
  private long start;
  private long end;
  private @Nullable WalVersion version;
  private int blockCount;
  private int mainBytes;
  private int replicationOrigin;
  private int topLevelXid;

  WalRecord() {}

  /**
   * Shows another record.
   *
   * @param kept how many of its bytes are there; all, or so many that the headers are among them
   */
  void set(
      byte[] bytes,
      int offset,
      int total,
      int kept,
      long start,
      long end,
      @Nullable WalVersion version) {
    this.bytes = bytes;
    this.offset = offset;
    this.total = total;
    this.kept = kept;
    this.start = start;
    this.end = end;
    this.version = version;
    blockCount = 0;
    mainBytes = 0;
    replicationOrigin = 0;
    topLevelXid = 0;
  }

  /**
   * Finds the parts of a record of which only the frame was read ({@link WalOptions#framesOnly}).
   * Until then it has no blocks and no main data. Without effect on others.
   */
  public void takeApart() throws WalException {
    if (mainBytes == 0 && blockCount == 0) {
      parse();
    }
  }

  private void parse() throws WalException {
    replicationOrigin = 0;
    topLevelXid = 0;
    int at = WalFormat.RECORD_HEADER_BYTES;
    long payload = 0;
    boolean hasOrigin = false;
    boolean hasTopLevelXid = false;
    boolean hasMain = false;
    while (!hasMain && total - at > payload) {
      int id = bytes[offset + at] & 0xFF;
      switch (id) {
        case ID_DATA_SHORT, ID_DATA_LONG -> {
          int length = id == ID_DATA_SHORT ? 2 : 5;
          need(at, length);
          long main =
              id == ID_DATA_SHORT
                  ? bytes[offset + at + 1] & 0xFF
                  : LittleEndian.unsignedInteger(bytes, offset + at + 1);
          at += length;
          payload += main;
          mainBytes = (int) Math.min(main, total);
          hasMain = true;
        }
        case ID_ORIGIN -> {
          need(at, 3);
          if (hasOrigin) {
            throw wrong("two replication origins");
          }
          hasOrigin = true;
          replicationOrigin = LittleEndian.unsignedShort(bytes, offset + at + 1);
          at += 3;
        }
        case ID_TOP_LEVEL_XID -> {
          need(at, 5);
          if (hasTopLevelXid) {
            throw wrong("two top-level transactions");
          }
          hasTopLevelXid = true;
          topLevelXid = LittleEndian.integer(bytes, offset + at + 1);
          at += 5;
        }
        default -> {
          WalBlock block = addBlock(id);
          at = block.parse(at);
          payload += block.imageBytes() + block.dataBytes();
        }
      }
    }
    if (total - at != payload) {
      throw wrong("parts of " + payload + " bytes where there are " + (total - at));
    }
    placeBlocks(at);
  }

  private WalBlock addBlock(int id) throws WalException {
    if (id > MAX_BLOCK_ID) {
      throw wrong("a part of unknown kind " + id);
    }
    if (blockCount > 0 && id <= blocks[blockCount - 1].id()) {
      throw wrong("block reference " + id + " behind " + blocks[blockCount - 1].id());
    }
    if (blocks.length == 0) {
      blocks = new WalBlock[MAX_BLOCK_ID + 1];
      Arrays.setAll(blocks, i -> new WalBlock(this));
    }
    return blocks[blockCount++];
  }

  private void placeBlocks(int behindHeaders) {
    int at = behindHeaders;
    for (int i = 0; i < blockCount; i++) {
      at = blocks[i].place(at);
    }
  }

  /** The reference before the one that is being read, whose relation that one may share. */
  WalBlock lastBlock() throws WalException {
    if (blockCount < 2) {
      throw wrong("a block reference to the relation of the one before it, which is none");
    }
    return blocks[blockCount - 2];
  }

  void need(int at, int length) throws WalException {
    if (total - at < length) {
      throw wrong("a part that is cut off");
    }
  }

  /** An error about what is inside of it. */
  public WalException wrong(String what) {
    return new WalException(start, Problem.CONTENT, what);
  }

  /** Where this part of the record is in {@link #bytes}. */
  int locate(int at, int length) throws WalException {
    if (at + length > kept) {
      throw new WalException(
          start,
          Problem.NOT_KEPT,
          "of a record of %d bytes only %d were kept".formatted(total, kept));
    }
    return offset + at;
  }

  byte[] bytes() {
    return bytes;
  }

  int offset() {
    return offset;
  }

  WalVersion version() {
    return Objects.requireNonNull(version, "the version was neither told nor in a page's header");
  }

  /** Where its header starts, never inside a page's header. */
  public Lsn start() {
    return new Lsn(start);
  }

  /**
   * Where the next one may start ({@code EndRecPtr}): behind its last byte, rounded up to 8, before
   * any page header that follows; of a segment switch, the next segment's start. It is what
   * PostgreSQL sets as the LSN of the pages that the record changes.
   */
  public Lsn end() {
    return new Lsn(end);
  }

  /** {@code xl_prev}: where the record before it starts. */
  public Lsn previous() {
    return new Lsn(LittleEndian.bigInteger(bytes, offset + WalFormat.PREVIOUS_AT));
  }

  /** {@code xl_tot_len}: bytes with its header, without page headers. */
  public int totalBytes() {
    return total;
  }

  /** Its length without page images, as {@code pg_waldump} tells it beside the total. */
  public int bytesWithoutImages() {
    return total - imageBytes();
  }

  /** The bytes of all its page images, as they are stored. */
  public int imageBytes() {
    int sum = 0;
    for (int i = 0; i < blockCount; i++) {
      sum += blocks[i].imageBytes();
    }
    return sum;
  }

  /** {@code xl_xid}, 0 for none. */
  public int xid() {
    return LittleEndian.integer(bytes, offset + WalFormat.XID_AT);
  }

  /** {@code xl_info}, all eight bits. */
  public int info() {
    return bytes[offset + WalFormat.INFO_AT] & 0xFF;
  }

  /** The four bits of {@code xl_info} that belong to the resource manager. */
  public int operation() {
    return info() & WalFormat.INFO_OF_MANAGER;
  }

  /** {@code xl_rmid}; 128 and above are of extensions. */
  public int resourceManager() {
    return bytes[offset + WalFormat.MANAGER_AT] & 0xFF;
  }

  /** The resource manager as {@code pg_waldump} names it. */
  public String resourceManagerName() {
    return ResourceManager.nameOf(resourceManager());
  }

  /** What the record is, as {@code pg_waldump} names it: {@code INSERT+INIT}, {@code COMMIT}. */
  public String name() {
    return ResourceManager.identify(version(), resourceManager(), info());
  }

  /** What wrote it. */
  public WalVersion writtenBy() {
    return version();
  }

  /** The replication origin that it was replayed from, 0 for none. */
  public int replicationOrigin() {
    return replicationOrigin;
  }

  /** The top-level transaction, where the record is the first of a subtransaction; 0 for none. */
  public int topLevelXid() {
    return topLevelXid;
  }

  /** How many references to blocks it has. */
  public int blocks() {
    return blockCount;
  }

  /**
   * One of its references to blocks, in order; their ids may have gaps. Good as long as the record.
   */
  public WalBlock block(int index) {
    return blocks[Objects.checkIndex(index, blockCount)];
  }

  /** How long the data is that belongs to no block. */
  public int mainBytes() {
    return mainBytes;
  }

  /** The main data; not a copy, little-endian, read-only. */
  public ByteBuffer main() throws WalException {
    return slice(total - mainBytes, mainBytes);
  }

  /** A 4-byte number in the main data. */
  public int mainInt(int at) throws WalException {
    return LittleEndian.integer(bytes, locateMain(at, Integer.BYTES));
  }

  /** An 8-byte number in the main data. */
  public long mainLong(int at) throws WalException {
    return LittleEndian.bigInteger(bytes, locateMain(at, Long.BYTES));
  }

  private int locateMain(int at, int length) throws WalException {
    if (at < 0 || at > mainBytes - length) {
      throw wrong("main data of " + mainBytes + " bytes ends before byte " + (at + length));
    }
    return locate(total - mainBytes + at, length);
  }

  ByteBuffer slice(int at, int length) throws WalException {
    return ByteBuffer.wrap(bytes, locate(at, length), length)
        .slice()
        .asReadOnlyBuffer()
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The whole record from its header on, as far as it is kept; read-only. */
  public ByteBuffer raw() {
    return ByteBuffer.wrap(bytes, offset, kept)
        .slice()
        .asReadOnlyBuffer()
        .order(ByteOrder.LITTLE_ENDIAN);
  }
}
