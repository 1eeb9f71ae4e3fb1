package dev.ebb.pageservice.index;

import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.shared.page.BinaryReader;
import dev.ebb.shared.page.BinaryWriter;
import dev.ebb.shared.page.FileKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where some pages are: rows in order of file and block, column by column. Immutable.
 *
 * <p>Stored, in varints: the number of packs, and of each its key and size; the number of files,
 * and of each its fields and number of rows; then by row, column after column: the distance from
 * the file's block before, less one; the number of the pack, from 1 on, 0 for a page of zeroes; the
 * record's length, and its offset as the distance from the end of that pack's row before. Rows of
 * zero pages have neither length nor offset.
 */
public final class PageTable {
  public static final PageTable EMPTY = new Builder().build();

  /** Of a page of zeroes, which lies nowhere. */
  private static final int NOWHERE = -1;

  private final FileId[] files;

  /** By file: its first row; the number of rows at the end. */
  private final int[] starts;

  private final int[] blocks;
  private final int[] packs;
  private final int[] offsets;
  private final int[] lengths;
  private final PackObject[] dictionary;

  private PageTable(
      FileId[] files,
      int[] starts,
      int[] blocks,
      int[] packs,
      int[] offsets,
      int[] lengths,
      PackObject[] dictionary) {
    this.files = files;
    this.starts = starts;
    this.blocks = blocks;
    this.packs = packs;
    this.offsets = offsets;
    this.lengths = lengths;
    this.dictionary = dictionary;
  }

  public int rows() {
    return blocks.length;
  }

  /** The packs that rows refer to, and perhaps others. */
  public List<PackObject> dictionary() {
    return List.of(dictionary);
  }

  /** Where a row's record is; null for a page of zeroes. */
  public @Nullable PageLocation location(int row) {
    return packs[row] == NOWHERE
        ? null
        : new PageLocation(dictionary[packs[row]], offsets[row], lengths[row]);
  }

  int block(int row) {
    return blocks[row];
  }

  FileId file(int row) {
    int at = Arrays.binarySearch(starts, 0, files.length, row);
    return files[at >= 0 ? at : -at - 2];
  }

  PageKey key(int row) {
    return new PageKey(file(row), blocks[row]);
  }

  /** The page's row, or -1. */
  int find(FileId file, int block) {
    int at = Arrays.binarySearch(files, file);
    if (at < 0) {
      return -1;
    }
    return Math.max(-1, Arrays.binarySearch(blocks, starts[at], starts[at + 1], block));
  }

  /** The first row that is not before the key. */
  int firstFrom(PageKey key) {
    int at = Arrays.binarySearch(files, key.file());
    if (at < 0) {
      return starts[-at - 1];
    }
    int row = Arrays.binarySearch(blocks, starts[at], starts[at + 1], key.block());
    return row >= 0 ? row : -row - 1;
  }

  /** What sees rows in order. */
  @FunctionalInterface
  public interface Visitor {
    void row(FileId file, int block, @Nullable PageLocation location);
  }

  public void forEach(Visitor visitor) {
    for (int f = 0; f < files.length; f++) {
      for (int row = starts[f]; row < starts[f + 1]; row++) {
        visitor.row(files[f], blocks[row], location(row));
      }
    }
  }

  /** Which rows to keep. */
  @FunctionalInterface
  public interface RowFilter {
    boolean keeps(FileId file, int block, int row);
  }

  /** The same without the rows that a filter refuses. */
  public PageTable filter(RowFilter filter) {
    var kept = new Builder();
    for (int f = 0; f < files.length; f++) {
      for (int row = starts[f]; row < starts[f + 1]; row++) {
        if (filter.keeps(files[f], blocks[row], row)) {
          kept.copy(this, f, row);
        }
      }
    }
    return kept.rows == rows() ? this : kept.build();
  }

  /** The rows from one on to before another. */
  PageTable slice(int from, int to) {
    if (from == 0 && to == rows()) {
      return this;
    }
    var kept = new Builder();
    int at = Arrays.binarySearch(starts, 0, files.length, from);
    for (int f = at >= 0 ? at : Math.max(0, -at - 2); f < files.length; f++) {
      for (int row = Math.max(from, starts[f]); row < Math.min(to, starts[f + 1]); row++) {
        kept.copy(this, f, row);
      }
      if (starts[f + 1] >= to) {
        break;
      }
    }
    return kept.build();
  }

  /** Both; where both have a page, {@code newer} says where it is. */
  public static PageTable merge(PageTable older, PageTable newer) {
    if (older.rows() == 0 || newer.rows() == 0) {
      return older.rows() == 0 ? newer : older;
    }
    var merged = new Builder();
    int oldFile = 0;
    int newFile = 0;
    while (oldFile < older.files.length || newFile < newer.files.length) {
      int order = compareFiles(older, oldFile, newer, newFile);
      int oldRow = order <= 0 ? older.starts[oldFile] : 0;
      int oldEnd = order <= 0 ? older.starts[oldFile + 1] : 0;
      int newRow = order >= 0 ? newer.starts[newFile] : 0;
      int newEnd = order >= 0 ? newer.starts[newFile + 1] : 0;
      while (oldRow < oldEnd || newRow < newEnd) {
        int next =
            oldRow == oldEnd
                ? 1
                : newRow == newEnd
                    ? -1
                    : Integer.compare(older.blocks[oldRow], newer.blocks[newRow]);
        if (next >= 0) {
          merged.copy(newer, newFile, newRow++);
        } else {
          merged.copy(older, oldFile, oldRow);
        }
        if (next <= 0) {
          oldRow++;
        }
      }
      oldFile += order <= 0 ? 1 : 0;
      newFile += order >= 0 ? 1 : 0;
    }
    return merged.build();
  }

  private static int compareFiles(PageTable a, int aFile, PageTable b, int bFile) {
    if (aFile == a.files.length) {
      return 1;
    }
    return bFile == b.files.length ? -1 : a.files[aFile].compareTo(b.files[bFile]);
  }

  /** Roughly, in memory. */
  int weight() {
    return 200 + files.length * 100 + blocks.length * 16 + dictionary.length * 140;
  }

  /** Makes a table of rows that come in order. */
  public static final class Builder {
    private final List<FileId> files = new ArrayList<>();
    private final List<PackObject> dictionary = new ArrayList<>();
    private final Map<PackObject, Integer> numbers = new HashMap<>();
    private int[] starts = new int[8];
    private int[] blocks = new int[64];
    private int[] packs = new int[64];
    private int[] offsets = new int[64];
    private int[] lengths = new int[64];
    private int rows;

    // of the table copied from last: its packs' numbers here, from 1 on
    private PackObject[] copied = new PackObject[0];
    private int[] translation = new int[0];

    /** A page's location; null for a page of zeroes. */
    public Builder add(FileId file, int block, @Nullable PageLocation location) {
      if (location == null) {
        return addRow(file, block, NOWHERE, 0, 0);
      }
      return addRow(file, block, number(location.pack()), location.offset(), location.length());
    }

    private int number(PackObject pack) {
      return numbers.computeIfAbsent(
          pack,
          p -> {
            dictionary.add(p);
            return dictionary.size() - 1;
          });
    }

    @SuppressWarnings("ReferenceEquality") // of the array of one table
    private void copy(PageTable from, int file, int row) {
      int pack = from.packs[row];
      if (pack != NOWHERE) {
        if (copied != from.dictionary) {
          copied = from.dictionary;
          translation = new int[copied.length];
        }
        if (translation[pack] == 0) {
          translation[pack] = number(copied[pack]) + 1;
        }
        pack = translation[pack] - 1;
      }
      addRow(from.files[file], from.blocks[row], pack, from.offsets[row], from.lengths[row]);
    }

    @SuppressWarnings("ReferenceEquality") // spares most comparisons of fields
    private Builder addRow(FileId file, int block, int pack, int offset, int length) {
      FileId last = files.isEmpty() ? null : files.getLast();
      if (last == null || !(last == file || last.equals(file))) {
        if (last != null && last.compareTo(file) > 0) {
          throw new IllegalArgumentException(file + " comes behind " + last);
        }
        if (files.size() + 1 == starts.length) {
          starts = Arrays.copyOf(starts, starts.length * 2);
        }
        starts[files.size()] = rows;
        files.add(file);
      } else if (blocks[rows - 1] >= block) {
        throw new IllegalArgumentException("block " + block + " of " + file + " is out of order");
      }
      if (rows == blocks.length) {
        blocks = Arrays.copyOf(blocks, rows * 2);
        packs = Arrays.copyOf(packs, rows * 2);
        offsets = Arrays.copyOf(offsets, rows * 2);
        lengths = Arrays.copyOf(lengths, rows * 2);
      }
      blocks[rows] = block;
      packs[rows] = pack;
      offsets[rows] = offset;
      lengths[rows++] = length;
      return this;
    }

    public PageTable build() {
      int[] ends = Arrays.copyOf(starts, files.size() + 1);
      ends[files.size()] = rows;
      return new PageTable(
          files.toArray(FileId[]::new),
          ends,
          Arrays.copyOf(blocks, rows),
          Arrays.copyOf(packs, rows),
          Arrays.copyOf(offsets, rows),
          Arrays.copyOf(lengths, rows),
          dictionary.toArray(PackObject[]::new));
    }
  }

  void write(BinaryWriter out) {
    int[] numbers = writeDictionary(out);
    out.putVarint(files.length);
    for (int f = 0; f < files.length; f++) {
      PageKey.write(out, files[f]);
      out.putVarint(starts[f + 1] - starts[f]);
    }
    for (int f = 0; f < files.length; f++) {
      int before = -1;
      for (int row = starts[f]; row < starts[f + 1]; row++) {
        out.putVarint(blocks[row] - before - 1);
        before = blocks[row];
      }
    }
    for (int pack : packs) {
      out.putVarint(pack == NOWHERE ? 0 : numbers[pack]);
    }
    for (int row = 0; row < rows(); row++) {
      if (packs[row] != NOWHERE) {
        out.putVarint(lengths[row]);
      }
    }
    var ends = new int[dictionary.length];
    for (int row = 0; row < rows(); row++) {
      int pack = packs[row];
      if (pack != NOWHERE) {
        out.putSignedVarint((long) offsets[row] - ends[pack]);
        ends[pack] = offsets[row] + lengths[row];
      }
    }
  }

  /** Writes the packs that rows refer to; returns their stored numbers. */
  private int[] writeDictionary(BinaryWriter out) {
    var numbers = new int[dictionary.length];
    List<PackObject> used = new ArrayList<>();
    for (int pack : packs) {
      if (pack != NOWHERE && numbers[pack] == 0) {
        used.add(dictionary[pack]);
        numbers[pack] = used.size();
      }
    }
    out.putVarint(used.size());
    used.forEach(pack -> out.putText(pack.key()).putVarint(pack.bytes()));
    return numbers;
  }

  static PageTable read(BinaryReader in) {
    var dictionary = new PackObject[in.takeCount(2)];
    for (int i = 0; i < dictionary.length; i++) {
      dictionary[i] = new PackObject(in.takeText(), in.takeVarint(Integer.MAX_VALUE));
    }
    int fileCount = in.takeCount(7);
    var files = new FileId[fileCount];
    var starts = new int[fileCount + 1];
    for (int f = 0; f < fileCount; f++) {
      files[f] = PageKey.readFile(in);
      long end = (long) starts[f] + in.takeVarint(FileKey.BLOCKS_PER_SEGMENT);
      if (end > in.remaining() || (f > 0 && files[f - 1].compareTo(files[f]) >= 0)) {
        throw in.corrupt("its files cannot be, at " + files[f]);
      }
      starts[f + 1] = (int) end;
    }
    int rows = starts[fileCount];
    int[] blocks = readBlocks(in, starts, rows);
    var packs = new int[rows];
    for (int row = 0; row < rows; row++) {
      packs[row] = in.takeVarint(dictionary.length) - 1;
    }
    var lengths = new int[rows];
    for (int row = 0; row < rows; row++) {
      if (packs[row] != NOWHERE) {
        lengths[row] = in.takeVarint(PageCodec.MAX_RECORD_BYTES);
      }
    }
    return new PageTable(
        files,
        starts,
        blocks,
        packs,
        readOffsets(in, packs, lengths, dictionary),
        lengths,
        dictionary);
  }

  private static int[] readBlocks(BinaryReader in, int[] starts, int rows) {
    var blocks = new int[rows];
    for (int f = 0; f + 1 < starts.length; f++) {
      int before = -1;
      for (int row = starts[f]; row < starts[f + 1]; row++) {
        before += 1 + in.takeVarint(FileKey.BLOCKS_PER_SEGMENT);
        if (before >= FileKey.BLOCKS_PER_SEGMENT) {
          throw in.corrupt("block " + before);
        }
        blocks[row] = before;
      }
    }
    return blocks;
  }

  private static int[] readOffsets(
      BinaryReader in, int[] packs, int[] lengths, PackObject[] dictionary) {
    var offsets = new int[packs.length];
    var ends = new long[dictionary.length];
    for (int row = 0; row < packs.length; row++) {
      int pack = packs[row];
      if (pack != NOWHERE) {
        long offset = ends[pack] + in.takeSignedVarint();
        ends[pack] = offset + lengths[row];
        if (offset < 0 || lengths[row] == 0 || ends[pack] > dictionary[pack].bytes()) {
          throw in.corrupt("a record outside of " + dictionary[pack].key());
        }
        offsets[row] = (int) offset;
      }
    }
    return offsets;
  }
}
