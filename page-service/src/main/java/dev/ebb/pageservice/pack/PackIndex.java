package dev.ebb.pageservice.pack;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdException;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.BinaryReader;
import dev.ebb.shared.page.BinaryWriter;
import dev.ebb.shared.page.FileKey;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * Which pages a pack has: what a repair would begin with. Reads find pages by the page index, and
 * only boot packs by this. Stored at the pack's end: the body, compressed with zstd; its length
 * compressed (4 bytes) and before (4); format version (1); magic {@code EBBI} (4); CRC32C of all of
 * that (4). The body, in varints: the number of files; per file its kind, database, relation, fork,
 * segment, incarnation and number of pages; then for every page, file by file and in order of
 * blocks, the distance from the block before, less one; then for every page its record's length.
 * Records lie in the same order from offset {@link #RECORDS_START} on, without gaps.
 */
public final class PackIndex implements Weighed {
  /** Behind magic {@code EBBP} and format version. */
  public static final int RECORDS_START = 5;

  static final int PACK_MAGIC = 0x45424250;
  static final int VERSION = 1;

  private static final int INDEX_MAGIC = 0x45424249;
  public static final int TRAILER_BYTES = 17;
  private static final int MAX_BODY_BYTES = 64 << 20;
  private static final int LEVEL = 3;

  private record Slice(int firstPage, int pages) {}

  private final PackRef pack;
  private final Map<FileId, Slice> files;

  /** By page: its block. */
  private final int[] blocks;

  /** By page: its record's offset; the end of the last record at the end. */
  private final int[] offsets;

  private PackIndex(PackRef pack, Map<FileId, Slice> files, int[] blocks, int[] offsets) {
    this.pack = pack;
    this.files = files;
    this.blocks = blocks;
    this.offsets = offsets;
  }

  public PackRef pack() {
    return pack;
  }

  /** The page's number in this pack, or -1. */
  public int find(FileId file, int block) {
    Slice slice = files.get(file);
    if (slice == null) {
      return -1;
    }
    int end = slice.firstPage() + slice.pages();
    int page = Arrays.binarySearch(blocks, slice.firstPage(), end, block);
    return page < 0 ? -1 : page;
  }

  public int pages() {
    return blocks.length;
  }

  public int offset(int page) {
    return offsets[page];
  }

  public int recordBytes(int page) {
    return offsets[page + 1] - offsets[page];
  }

  @Override
  public int weight() {
    return 256 + files.size() * 160 + blocks.length * 8;
  }

  /** What sees every page of a pack, in order. */
  public interface Visitor {
    void page(FileId file, int block, int page);
  }

  public void forEach(Visitor visitor) {
    new TreeMap<>(files)
        .forEach((file, slice) -> {
          for (int i = slice.firstPage(); i < slice.firstPage() + slice.pages(); i++) {
            visitor.page(file, blocks[i], i);
          }
        });
  }

  /**
   * The stored form.
   *
   * @param files by page; equal ones are neighbours, as are their blocks, in order
   */
  static byte[] encode(FileId[] files, int[] blocks, int[] lengths) {
    int pages = files.length;
    var heads = new BinaryWriter(1024);
    var rest = new BinaryWriter(pages * 4);
    int count = 0;
    for (int first = 0; first < pages; ) {
      int end = first;
      int before = -1;
      while (end < pages && files[end].equals(files[first])) {
        rest.putVarint(blocks[end] - before - 1);
        before = blocks[end++];
      }
      writeHead(heads, files[first], end - first);
      first = end;
      count++;
    }
    for (int length : lengths) {
      rest.putVarint(length);
    }
    var body = new BinaryWriter(heads.length() + rest.length() + 5).putVarint(count);
    body.putRaw(heads.array(), 0, heads.length()).putRaw(rest.array(), 0, rest.length());
    return seal(body);
  }

  private static void writeHead(BinaryWriter out, FileId file, int pages) {
    FileKey key = file.key();
    out.putVarint(key.kind().code())
        .putVarint(key.database() & 0xFFFFFFFFL)
        .putVarint(key.relation() & 0xFFFFFFFFL)
        .putVarint(key.fork())
        .putVarint(key.segment())
        .putVarint(file.incarnation())
        .putVarint(pages);
  }

  private static byte[] seal(BinaryWriter body) {
    byte[] compressed = Zstd.compress(body.toBytes(), LEVEL);
    var out =
        new BinaryWriter(compressed.length + TRAILER_BYTES)
            .putRaw(compressed, 0, compressed.length)
            .putInt(compressed.length)
            .putInt(body.length())
            .putByte(VERSION)
            .putInt(INDEX_MAGIC);
    return out.putInt(crc(out.array(), out.length())).toBytes();
  }

  /** How a reader refers to a pack that it has whole. */
  public static PackRef refOfWhole(String key, byte[] pack) {
    if (pack.length < RECORDS_START + TRAILER_BYTES) {
      throw new EbbException.Corrupt("pack " + key + " has " + pack.length + " bytes");
    }
    requireHeader(key, pack);
    byte[] end = Arrays.copyOfRange(pack, pack.length - TRAILER_BYTES, pack.length);
    return refOfEnd(key, pack.length, end);
  }

  /**
   * How a reader refers to a pack of which it has the end.
   *
   * @param bytes the pack's size
   * @param end its last {@link #TRAILER_BYTES}
   */
  public static PackRef refOfEnd(String key, long bytes, byte[] end) {
    int compressedBytes = new BinaryReader("pack " + key, end, 0, end.length).takeInt();
    if (compressedBytes < 0 || compressedBytes > bytes - TRAILER_BYTES - RECORDS_START) {
      throw new EbbException.Corrupt(
          "pack " + key + " has an index of " + compressedBytes + " bytes");
    }
    return new PackRef(key, bytes, compressedBytes + TRAILER_BYTES);
  }

  /** Checks a pack's first bytes: {@code Unavailable} for a format of a newer Ebb. */
  public static void requireHeader(String key, byte[] pack) {
    var in = new BinaryReader("pack " + key, pack, 0, Math.min(pack.length, RECORDS_START));
    if (in.takeInt() != PACK_MAGIC) {
      throw in.corrupt("it is no pack");
    }
    int version = in.takeByte();
    if (version > VERSION) {
      throw newer("pack " + key, version);
    }
    if (version != VERSION) {
      throw in.corrupt("format " + version);
    }
  }

  private static EbbException.Unavailable newer(String what, int version) {
    return new EbbException.Unavailable(
        what
            + " has format "
            + version
            + "; this Ebb knows format "
            + VERSION
            + ": run the newer Ebb that wrote it");
  }

  /**
   * Reads the index of a pack. {@code Corrupt} where it is not what was written.
   *
   * @param stored the object's last {@code indexBytes}
   */
  public static PackIndex decode(PackRef pack, byte[] stored) {
    String what = "the index of pack " + pack.key();
    if (stored.length != pack.indexBytes() || stored.length < TRAILER_BYTES) {
      throw new EbbException.Corrupt(what + " has " + stored.length + " bytes");
    }
    var trailer = new BinaryReader(what, stored, stored.length - TRAILER_BYTES, stored.length);
    int compressedBytes = trailer.takeInt();
    int bodyBytes = trailer.takeInt();
    int version = trailer.takeByte();
    int magic = trailer.takeInt();
    if (magic != INDEX_MAGIC || trailer.takeInt() != crc(stored, stored.length - 4)) {
      throw trailer.corrupt("its checksum is wrong");
    }
    if (version > VERSION) {
      throw newer(what, version);
    }
    if (version != VERSION
        || compressedBytes != stored.length - TRAILER_BYTES
        || bodyBytes < 0
        || bodyBytes > MAX_BODY_BYTES
        || Zstd.getFrameContentSize(stored, 0, compressedBytes) != bodyBytes) {
      throw trailer.corrupt("impossible lengths");
    }
    var body = new byte[bodyBytes];
    try {
      Zstd.decompressByteArray(body, 0, bodyBytes, stored, 0, compressedBytes);
    } catch (ZstdException e) {
      throw new EbbException.Corrupt(what + " is damaged", e);
    }
    return read(pack, new BinaryReader(what, body, 0, bodyBytes));
  }

  private static PackIndex read(PackRef pack, BinaryReader in) {
    int fileCount = in.takeCount(7);
    var ids = new FileId[fileCount];
    var slices = new Slice[fileCount];
    long total = 0;
    for (int i = 0; i < fileCount; i++) {
      ids[i] = readFile(in);
      int pages = in.takeVarint(FileKey.BLOCKS_PER_SEGMENT);
      slices[i] = new Slice((int) total, pages);
      total += pages;
      if (total > in.remaining() || (i > 0 && ids[i - 1].compareTo(ids[i]) >= 0)) {
        throw in.corrupt("its files cannot be, at " + ids[i]);
      }
    }
    var blocks = new int[(int) total];
    for (Slice slice : slices) {
      int before = -1;
      for (int i = slice.firstPage(); i < slice.firstPage() + slice.pages(); i++) {
        before += 1 + in.takeVarint(FileKey.BLOCKS_PER_SEGMENT);
        if (before >= FileKey.BLOCKS_PER_SEGMENT) {
          throw in.corrupt("block " + before);
        }
        blocks[i] = before;
      }
    }
    int[] offsets = readOffsets(in, blocks.length, pack.bytes() - pack.indexBytes());
    in.expectEnd();
    var files = HashMap.<FileId, Slice>newHashMap(fileCount);
    for (int i = 0; i < fileCount; i++) {
      files.put(ids[i], slices[i]);
    }
    return new PackIndex(pack, files, blocks, offsets);
  }

  private static FileId readFile(BinaryReader in) {
    FileKey.Kind kind = FileKey.Kind.ofCode(in.takeVarint(255));
    int database = take32(in);
    int relation = take32(in);
    int fork = in.takeVarint(3);
    int segment = in.takeVarint(Integer.MAX_VALUE);
    int incarnation = in.takeVarint(Integer.MAX_VALUE);
    return new FileId(new FileKey(kind, database, relation, fork, segment), incarnation);
  }

  private static int take32(BinaryReader in) {
    long value = in.takeVarint();
    if (value < 0 || value > 0xFFFFFFFFL) {
      throw in.corrupt("a number of more than 32 bits");
    }
    return (int) value;
  }

  private static int[] readOffsets(BinaryReader in, int pages, long recordsEnd) {
    var offsets = new int[pages + 1];
    long at = RECORDS_START;
    for (int i = 0; i < pages; i++) {
      offsets[i] = (int) at;
      at += in.takeVarint(PageCodec.MAX_RECORD_BYTES);
      if (at > recordsEnd || at > Integer.MAX_VALUE) {
        throw in.corrupt("a record past the pack's end");
      }
    }
    if (at != recordsEnd) {
      throw in.corrupt("its records end at " + at + " instead of " + recordsEnd);
    }
    offsets[pages] = (int) at;
    return offsets;
  }

  private static int crc(byte[] bytes, int length) {
    var crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }
}
