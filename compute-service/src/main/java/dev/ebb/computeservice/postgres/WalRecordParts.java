package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import java.nio.ByteBuffer;

/**
 * What a WAL record is made of: references to blocks, and its main data. One object is used again
 * for record after record. Sources: {@code src/include/access/xlogrecord.h}, {@code xlogreader.c}
 * ({@code DecodeXLogRecord}).
 */
public final class WalRecordParts {
  /** {@code XLR_MAX_BLOCK_ID}. */
  private static final int MAX_BLOCK_ID = 32;

  private static final int ID_DATA_SHORT = 255;
  private static final int ID_DATA_LONG = 254;
  private static final int ID_ORIGIN = 253;
  private static final int ID_TOP_TRANSACTION = 252;

  private static final int FORK_MASK = 0x0F;
  private static final int HAS_IMAGE = 0x10;
  private static final int WILL_INITIALISE = 0x40;
  private static final int SAME_RELATION = 0x80;
  private static final int IMAGE_HAS_HOLE = 0x01;
  private static final int IMAGE_COMPRESSED = 0x04 | 0x08 | 0x10;

  private static final int PAGE_BYTES = 8192;

  /** {@code pd_upper} of a page's header. */
  private static final int UPPER_AT = 14;

  private final int[] id = new int[MAX_BLOCK_ID + 1];
  private final int[] fork = new int[MAX_BLOCK_ID + 1];
  private final int[] tablespace = new int[MAX_BLOCK_ID + 1];
  private final int[] database = new int[MAX_BLOCK_ID + 1];
  private final int[] relation = new int[MAX_BLOCK_ID + 1];
  private final int[] block = new int[MAX_BLOCK_ID + 1];
  private final int[] imageBytes = new int[MAX_BLOCK_ID + 1];
  private final int[] dataBytes = new int[MAX_BLOCK_ID + 1];
  private final boolean[] wholeImage = new boolean[MAX_BLOCK_ID + 1];
  private final boolean[] old = new boolean[MAX_BLOCK_ID + 1];
  private int blocks;
  private int dataAt;
  private int mainBytes;
  private ByteBuffer fields = ByteBuffer.allocate(0);
  private int kept;
  private int total;

  /** Takes the record that a stream is at apart; holds until the stream goes on. */
  public void parse(WalStream record) {
    fields = record.fields();
    kept = record.keptBytes();
    total = record.totalBytes();
    blocks = 0;
    mainBytes = 0;
    int at = WalRecords.HEADER_BYTES;
    int payload = 0;
    while (at + payload < total) {
      int code = fields.get(at) & 0xFF;
      switch (code) {
        case ID_DATA_SHORT -> {
          mainBytes = fields.get(at + 1) & 0xFF;
          at += 2;
          payload += mainBytes;
        }
        case ID_DATA_LONG -> {
          mainBytes = fields.getInt(at + 1);
          at += 5;
          payload += mainBytes;
        }
        case ID_ORIGIN -> at += 3;
        case ID_TOP_TRANSACTION -> at += 5;
        default -> {
          if (code > MAX_BLOCK_ID || blocks > MAX_BLOCK_ID) {
            throw new EbbException.Corrupt(
                "the WAL record at " + record.start() + " has a part of unknown kind " + code);
          }
          at = parseBlock(code, at + 1);
          payload += imageBytes[blocks] + dataBytes[blocks];
          blocks++;
        }
      }
    }
    dataAt = at;
  }

  private int parseBlock(int code, int from) {
    int at = from;
    int flags = fields.get(at) & 0xFF;
    id[blocks] = code;
    fork[blocks] = flags & FORK_MASK;
    dataBytes[blocks] = fields.getShort(at + 1) & 0xFFFF;
    imageBytes[blocks] = 0;
    wholeImage[blocks] = false;
    old[blocks] = (flags & (HAS_IMAGE | WILL_INITIALISE)) == 0;
    at += 3;
    if ((flags & HAS_IMAGE) != 0) {
      imageBytes[blocks] = fields.getShort(at) & 0xFFFF;
      int image = fields.get(at + 4) & 0xFF;
      at += 5;
      boolean compressed = (image & IMAGE_COMPRESSED) != 0;
      if ((image & IMAGE_HAS_HOLE) != 0 && compressed) {
        at += 2;
      }
      wholeImage[blocks] = !compressed && imageBytes[blocks] == PAGE_BYTES;
    }
    if ((flags & SAME_RELATION) != 0) {
      tablespace[blocks] = tablespace[blocks - 1];
      database[blocks] = database[blocks - 1];
      relation[blocks] = relation[blocks - 1];
    } else {
      tablespace[blocks] = fields.getInt(at);
      database[blocks] = fields.getInt(at + 4);
      relation[blocks] = fields.getInt(at + 8);
      at += 12;
    }
    block[blocks] = fields.getInt(at);
    return at + 4;
  }

  /** How many references to blocks it has. */
  public int blocks() {
    return blocks;
  }

  /** The number that the record gives a reference; they may have gaps. */
  public int id(int reference) {
    return id[reference];
  }

  public int fork(int reference) {
    return fork[reference];
  }

  public int tablespace(int reference) {
    return tablespace[reference];
  }

  public int database(int reference) {
    return database[reference];
  }

  public int relation(int reference) {
    return relation[reference];
  }

  /** The block's number in the fork, over all its segments; unsigned. */
  public int block(int reference) {
    return block[reference];
  }

  /**
   * Whether replay reads the page as it was before: it neither brings an image of it along nor
   * makes it anew ({@code XLogReadBufferForRedoExtended} in {@code xlogutils.c}).
   */
  public boolean needsOldPage(int reference) {
    return old[reference];
  }

  /**
   * Whether the reference has an image of a page that is not initialised ({@code PageIsNew}): such
   * a page is logged, but gets no LSN ({@code log_newpages} in {@code xloginsert.c}).
   */
  public boolean isImageOfNewPage(int reference) {
    if (!wholeImage[reference]) {
      return false;
    }
    int at = dataAt;
    for (int i = 0; i < reference; i++) {
      at += imageBytes[i] + dataBytes[i];
    }
    return at + PAGE_BYTES <= kept && fields.getShort(at + UPPER_AT) == 0;
  }

  /** How long the main data is. */
  public int mainBytes() {
    return mainBytes;
  }

  /** A number in the main data. */
  public int mainInt(int offset) {
    int at = total - mainBytes + offset;
    if (offset < 0 || offset + Integer.BYTES > mainBytes || at + Integer.BYTES > kept) {
      throw new EbbException.Corrupt("a WAL record's data ends before " + offset);
    }
    return fields.getInt(at);
  }
}
