package dev.ebb.shared.wal;

import static dev.ebb.shared.wal.WalFormat.PAGE_BYTES;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Objects;

/**
 * A record's reference to a block of a relation: which one, the image of its page, the data about
 * it. A view, good as long as its record. Layout: {@code XLogRecordBlockHeader} and {@code
 * XLogRecordBlockImageHeader} of {@code src/include/access/xlogrecord.h}.
 */
public final class WalBlock {
  private static final int FORK_MASK = 0x0F;
  private static final int HAS_IMAGE = 0x10;
  private static final int HAS_DATA = 0x20;
  private static final int WILL_INIT = 0x40;
  private static final int SAME_REL = 0x80;

  private static final int IMAGE_HAS_HOLE = 0x01;

  /** {@code BKPIMAGE_IS_COMPRESSED} and {@code BKPIMAGE_APPLY} of 14. */
  private static final int IMAGE_IS_COMPRESSED_14 = 0x02;

  private static final int IMAGE_APPLY_14 = 0x04;

  /** {@code BKPIMAGE_APPLY} and {@code BKPIMAGE_COMPRESS_*} since 15. */
  private static final int IMAGE_APPLY = 0x02;

  private static final int IMAGE_PGLZ = 0x04;
  private static final int IMAGE_LZ4 = 0x08;
  private static final int IMAGE_ZSTD = 0x10;

  private final WalRecord record;
  private int id;
  private int flags;
  private int spcOid;
  private int dbOid;
  private int relNumber;
  private int blockNumber;
  private int imageBytes;
  private int imageInfo;
  private int holeOffset;
  private int holeBytes;
  private ImageCompression compression = ImageCompression.NONE;
  private int dataBytes;

  /** Where the image starts in the record; the data lies behind it. */
  private int imageAt;

  WalBlock(WalRecord record) {
    this.record = record;
  }

  /** Reads the header of a reference; says where the next part's begins. */
  int parse(int from) throws WalException {
    byte[] bytes = record.bytes();
    int base = record.offset();
    record.need(from, 4);
    id = bytes[base + from] & 0xFF;
    flags = bytes[base + from + 1] & 0xFF;
    dataBytes = LittleEndian.unsignedShort(bytes, base + from + 2);
    if ((flags & FORK_MASK) >= ForkName.count()) {
      throw record.wrong("a block of fork " + (flags & FORK_MASK));
    }
    if (((flags & HAS_DATA) != 0) != dataBytes > 0) {
      throw record.wrong(
          "a block reference with data of " + dataBytes + " bytes, against its flags");
    }
    int at = from + 4;
    imageBytes = 0;
    imageInfo = 0;
    holeOffset = 0;
    holeBytes = 0;
    compression = ImageCompression.NONE;
    if ((flags & HAS_IMAGE) != 0) {
      at = parseImage(at);
    }
    if ((flags & SAME_REL) == 0) {
      record.need(at, 12);
      spcOid = LittleEndian.integer(bytes, base + at);
      dbOid = LittleEndian.integer(bytes, base + at + 4);
      relNumber = LittleEndian.integer(bytes, base + at + 8);
      at += 12;
    } else {
      WalBlock last = record.lastBlock();
      spcOid = last.spcOid;
      dbOid = last.dbOid;
      relNumber = last.relNumber;
    }
    record.need(at, 4);
    blockNumber = LittleEndian.integer(bytes, base + at);
    return at + 4;
  }

  private int parseImage(int from) throws WalException {
    byte[] bytes = record.bytes();
    int base = record.offset();
    record.need(from, 5);
    imageBytes = LittleEndian.unsignedShort(bytes, base + from);
    holeOffset = LittleEndian.unsignedShort(bytes, base + from + 2);
    imageInfo = bytes[base + from + 4] & 0xFF;
    compression = compressionOf(imageInfo);
    int at = from + 5;
    boolean hole = (imageInfo & IMAGE_HAS_HOLE) != 0;
    if (compression == ImageCompression.NONE) {
      holeBytes = PAGE_BYTES - imageBytes;
    } else if (hole) {
      record.need(at, 2);
      holeBytes = LittleEndian.unsignedShort(bytes, base + at);
      at += 2;
    }
    boolean right =
        hole
            ? holeOffset > 0 && holeBytes > 0 && holeOffset + holeBytes <= PAGE_BYTES
            : holeOffset == 0 && holeBytes == 0;
    if (compression != ImageCompression.NONE) {
      right &= imageBytes > 0 && imageBytes < PAGE_BYTES;
    }
    if (!right) {
      throw record.wrong(
          "an image of %d bytes with a hole of %d at %d"
              .formatted(imageBytes, holeBytes, holeOffset));
    }
    return at;
  }

  private ImageCompression compressionOf(int info) {
    if (!record.version().isAtLeast(WalVersion.V15)) {
      return (info & IMAGE_IS_COMPRESSED_14) != 0 ? ImageCompression.PGLZ : ImageCompression.NONE;
    }
    if ((info & IMAGE_PGLZ) != 0) {
      return ImageCompression.PGLZ;
    }
    if ((info & IMAGE_LZ4) != 0) {
      return ImageCompression.LZ4;
    }
    return (info & IMAGE_ZSTD) != 0 ? ImageCompression.ZSTD : ImageCompression.NONE;
  }

  int place(int at) {
    imageAt = at;
    return at + imageBytes + dataBytes;
  }

  /** The number that the record gives it, 0 to 32. */
  public int id() {
    return id;
  }

  public int spcOid() {
    return spcOid;
  }

  public int dbOid() {
    return dbOid;
  }

  public int relNumber() {
    return relNumber;
  }

  /** Whose block it is. */
  public RelFileLocator relation() {
    return new RelFileLocator(spcOid, dbOid, relNumber);
  }

  public ForkName fork() {
    return ForkName.ofNumber(flags & FORK_MASK);
  }

  /** The block's number in the fork, over all its segment files; unsigned. */
  public int blockNumber() {
    return blockNumber;
  }

  /** Whether the record names no relation here because it is that of the reference before. */
  public boolean isOfSameRelation() {
    return (flags & SAME_REL) != 0;
  }

  /** Whether redo makes the page new. */
  public boolean willInit() {
    return (flags & WILL_INIT) != 0;
  }

  public boolean hasImage() {
    return (flags & HAS_IMAGE) != 0;
  }

  /**
   * Whether redo restores the image; otherwise it is there for {@code wal_consistency_checking}
   * only.
   */
  public boolean imageApplies() {
    int apply = record.version().isAtLeast(WalVersion.V15) ? IMAGE_APPLY : IMAGE_APPLY_14;
    return (imageInfo & apply) != 0;
  }

  public ImageCompression compression() {
    return compression;
  }

  /** How long the image is as it is stored; 0 for none. */
  public int imageBytes() {
    return imageBytes;
  }

  /** Where in the page the zeroes are that the image leaves out. */
  public int holeOffset() {
    return holeOffset;
  }

  public int holeBytes() {
    return holeBytes;
  }

  /** How long the data about this block is. */
  public int dataBytes() {
    return dataBytes;
  }

  /** The data about this block; not a copy, little-endian, read-only. */
  public ByteBuffer data() throws WalException {
    return record.slice(imageAt + imageBytes, dataBytes);
  }

  /** The image as it is stored; not a copy, read-only. */
  public ByteBuffer image() throws WalException {
    return record.slice(imageAt, imageBytes);
  }

  /**
   * Writes the page that the image is of ({@code RestoreBlockImage} of {@code xlogreader.c}).
   *
   * @param page gets 8192 bytes from {@code offset} on; what it holds after an error is open
   * @throws WalException where the image does not unpack to a page
   * @throws IllegalStateException where there is no image
   */
  public void restoreImage(byte[] page, int offset) throws WalException {
    if (!hasImage()) {
      throw new IllegalStateException("the block reference has no image");
    }
    Objects.checkFromIndexSize(offset, PAGE_BYTES, page.length);
    int at = record.locate(imageAt, imageBytes);
    int length = PAGE_BYTES - holeBytes;
    if (!compression.unpack(record.bytes(), at, imageBytes, page, offset, length)) {
      throw record.wrong("an image in " + compression + " that does not unpack");
    }
    if (holeBytes > 0) {
      int behind = offset + holeOffset + holeBytes;
      System.arraycopy(page, offset + holeOffset, page, behind, length - holeOffset);
      Arrays.fill(page, offset + holeOffset, behind, (byte) 0);
    }
  }
}
