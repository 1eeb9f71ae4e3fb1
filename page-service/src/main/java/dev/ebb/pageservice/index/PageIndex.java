package dev.ebb.pageservice.index;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.BinaryReader;
import dev.ebb.shared.page.BinaryWriter;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The part of the index that stands in the manifest. Immutable.
 *
 * <p>Stored: format version (1 byte); the recent pages as a {@link PageTable}; the number of cuts,
 * and of each its file and block; 0 (1 byte) for an empty tree, else 1 and its root as an {@link
 * InnerNode}. An empty field is an empty index.
 *
 * @param recent pages that are not in the tree yet, or are there with an older location
 * @param cuts what is not to be looked for in the tree; sorted by file, one each
 * @param root of the tree; null where that is empty
 */
public record PageIndex(PageTable recent, List<Cut> cuts, @Nullable InnerNode root) {
  public static final PageIndex EMPTY = new PageIndex(PageTable.EMPTY, List.of(), null);

  static final int VERSION = 1;

  public PageIndex {
    cuts = List.copyOf(cuts);
  }

  /** How many bytes the part that a merge empties takes. */
  int recentBytes() {
    var out = new BinaryWriter(1 << 16);
    writeRecent(out);
    return out.length();
  }

  private void writeRecent(BinaryWriter out) {
    recent.write(out);
    out.putVarint(cuts.size());
    for (Cut cut : cuts) {
      PageKey.write(out, cut.file());
      out.putVarint(cut.fromBlock());
    }
  }

  public byte[] encode() {
    var out = new BinaryWriter(1 << 16).putByte(VERSION);
    writeRecent(out);
    InnerNode tree = root;
    out.putByte(tree == null ? 0 : 1);
    if (tree != null) {
      tree.write(out);
    }
    return out.toBytes();
  }

  /**
   * Reads a manifest's field.
   *
   * @param what names the manifest in errors
   */
  public static PageIndex decode(String what, byte[] encoded) {
    if (encoded.length == 0) {
      return EMPTY;
    }
    var in = new BinaryReader("the page index in " + what, encoded, 0, encoded.length);
    int version = in.takeByte();
    if (version > VERSION) {
      throw new EbbException.Unavailable(
          "the page index in "
              + what
              + " has format "
              + version
              + "; this Ebb knows format "
              + VERSION
              + ": run the newer Ebb that wrote it");
    }
    if (version != VERSION) {
      throw in.corrupt("format " + version);
    }
    PageTable recent = PageTable.read(in);
    var cuts = new ArrayList<Cut>();
    for (int left = in.takeCount(7); left > 0; left--) {
      var cut = new Cut(PageKey.readFile(in), in.takeVarint(Integer.MAX_VALUE));
      if (!cuts.isEmpty() && cuts.getLast().file().compareTo(cut.file()) >= 0) {
        throw in.corrupt("its cuts are out of order at " + cut.file());
      }
      cuts.add(cut);
    }
    InnerNode root = in.takeByte() == 0 ? null : InnerNode.read(in);
    in.expectEnd();
    return new PageIndex(recent, cuts, root);
  }

  /** Roughly, in memory. */
  public int weight() {
    InnerNode tree = root;
    return recent.weight() + cuts.size() * 100 + (tree == null ? 0 : tree.weight());
  }
}
