package dev.ebb.pageservice.index;

import dev.ebb.pageservice.pack.FileId;
import dev.ebb.shared.page.BinaryWriter;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Makes the next page index out of one and what changed. While the recent pages fit into the
 * manifest, that is all; beyond, so many of them move into the tree that the rest fits: those first
 * that share their leaves with the most others, so that few nodes are written for many pages.
 * Blocking; for one thread.
 */
public final class IndexMerge {
  /** What the recent pages may take in a manifest, before compression. */
  public static final int RECENT_BYTES = 64 << 10;

  /** What a leaf takes before compression. */
  private static final int LEAF_BYTES = 16 << 10;

  /** A rewritten leaf below this takes in its neighbour, where that is small, too. */
  private static final int SMALL_LEAF_BYTES = 2 << 10;

  /** Pages that lie this close in a file count as sharing a leaf. */
  private static final int NEIGHBOURHOOD_SHIFT = 10;

  /** Rewritten leaves that follow one another are laid out anew together, so many rows at once. */
  private static final int MAX_OPEN_ROWS = 16_384;

  private static final int LEAVES_READ_AT_ONCE = 64;

  private final IndexNodes nodes;
  private final IndexObjects out;

  public IndexMerge(IndexNodes nodes, IndexObjects out) {
    this.nodes = nodes;
    this.out = out;
  }

  /**
   * The next index; what it refers to is stored when this returns.
   *
   * @param cuts what is gone of {@code base}; {@code added} comes behind that
   * @param recentBytes how much may stay recent; 0 for nothing
   */
  public PageIndex apply(PageIndex base, List<Cut> cuts, PageTable added, int recentBytes) {
    Map<FileId, Integer> cutFrom = new TreeMap<>();
    base.cuts().forEach(cut -> cutFrom.merge(cut.file(), cut.fromBlock(), Math::min));
    Map<FileId, Integer> fresh = new TreeMap<>();
    cuts.forEach(cut -> fresh.merge(cut.file(), cut.fromBlock(), Math::min));
    PageTable kept =
        fresh.isEmpty()
            ? base.recent()
            : base.recent()
                .filter((file, block, row) -> block < fresh.getOrDefault(file, Integer.MAX_VALUE));
    if (base.root() != null) {
      fresh.forEach((file, from) -> cutFrom.merge(file, from, Math::min));
    }
    List<Cut> allCuts =
        cutFrom.entrySet().stream().map(e -> new Cut(e.getKey(), e.getValue())).toList();
    var next = new PageIndex(PageTable.merge(kept, added), allCuts, base.root());
    int bytes = next.recentBytes();
    if (bytes <= recentBytes || (next.recent().rows() == 0 && next.cuts().isEmpty())) {
      return next;
    }
    PageIndex merged = new Pass(next, choose(next, bytes, recentBytes)).run();
    out.flush();
    return merged;
  }

  private record Neighbourhood(int from, int to) {
    int rows() {
      return to - from;
    }
  }

  /** The rows to move: whole neighbourhoods, the largest first, until the rest fits. */
  private static BitSet choose(PageIndex index, int bytes, int recentBytes) {
    PageTable recent = index.recent();
    var chosen = new BitSet(recent.rows());
    // the cuts leave with every merge; what they took is not missed
    int surplus = bytes - recentBytes;
    long wanted = recent.rows() * (long) surplus / bytes + 1;
    List<Neighbourhood> all = neighbourhoods(recent);
    all.sort(Comparator.comparingInt(Neighbourhood::rows).reversed());
    for (Neighbourhood next : all) {
      if (recentBytes > 0 && wanted <= 0) {
        break;
      }
      chosen.set(next.from(), next.to());
      wanted -= next.rows();
    }
    return chosen;
  }

  private static List<Neighbourhood> neighbourhoods(PageTable table) {
    List<Neighbourhood> all = new ArrayList<>();
    int[] from = {0};
    int[] row = {0};
    FileId[] file = new FileId[1];
    int[] place = {-1};
    table.forEach((f, block, location) -> {
      int now = block >>> NEIGHBOURHOOD_SHIFT;
      if (row[0] > 0 && (now != place[0] || !f.equals(file[0]))) {
        all.add(new Neighbourhood(from[0], row[0]));
        from[0] = row[0];
      }
      file[0] = f;
      place[0] = now;
      row[0]++;
    });
    if (row[0] > from[0]) {
      all.add(new Neighbourhood(from[0], row[0]));
    }
    return all;
  }

  /** A child with its first key. */
  private record Child(PageKey first, NodeRef ref) {}

  /** One pass over the tree, down to what changes. */
  private final class Pass {
    private final PageIndex index;
    private final PageTable recent;
    private final BitSet chosen;

    /** Rows that are in the tree now: the chosen ones and those that came for nothing. */
    private final BitSet moved = new BitSet();

    Pass(PageIndex index, BitSet chosen) {
      this.index = index;
      this.recent = index.recent();
      this.chosen = chosen;
    }

    PageIndex run() {
      InnerNode root = index.root();
      int level = root == null ? 1 : root.level();
      List<Child> children =
          root == null ? writeLeaves(take(null, null)) : children(root, null, null);
      while (children.size() > InnerNode.FAN_OUT) {
        children = writeInner(level, children);
        level++;
      }
      PageTable left = recent.filter((file, block, row) -> !moved.get(row));
      return new PageIndex(left, List.of(), root(level, children));
    }

    private @Nullable InnerNode root(int level, List<Child> children) {
      if (children.isEmpty()) {
        return null;
      }
      InnerNode root = node(level, children);
      if (root.children().size() == 1 && level > 1) {
        out.flush(); // the child may be of this merge
        return collapsed(root);
      }
      return root;
    }

    private InnerNode collapsed(InnerNode root) {
      InnerNode top = root;
      while (top.children().size() == 1 && top.level() > 1) {
        top = nodes.inner(top.children().getFirst(), top.level() - 1);
      }
      return top;
    }

    private static InnerNode node(int level, List<Child> children) {
      return new InnerNode(
          level,
          children.stream().map(Child::first).toList(),
          children.stream().map(Child::ref).toList());
    }

    // ------------------------------------------------------------ down

    /** A node's children as they are after the merge; the node's range is [low, high). */
    private List<Child> children(InnerNode node, @Nullable PageKey low, @Nullable PageKey high) {
      return node.level() == 1 ? leaves(node, low, high) : inner(node, low, high);
    }

    private List<Child> inner(InnerNode node, @Nullable PageKey low, @Nullable PageKey high) {
      List<Child> after = new ArrayList<>();
      for (int i = 0; i < node.children().size(); i++) {
        Child child = new Child(node.firsts().get(i), node.children().get(i));
        PageKey from = i == 0 ? low : child.first();
        PageKey to = i + 1 < node.children().size() ? node.firsts().get(i + 1) : high;
        if (!isTouched(from, to)) {
          after.add(child);
        } else if (!isGone(from, to)) {
          InnerNode old = nodes.inner(child.ref(), node.level() - 1);
          after.addAll(writeInner(node.level() - 1, children(old, from, to)));
        }
      }
      return after;
    }

    private List<Child> leaves(InnerNode node, @Nullable PageKey low, @Nullable PageKey high) {
      int count = node.children().size();
      var touched = new BitSet(count);
      var gone = new BitSet(count);
      for (int i = 0; i < count; i++) {
        PageKey from = i == 0 ? low : node.firsts().get(i);
        PageKey to = i + 1 < count ? node.firsts().get(i + 1) : high;
        touched.set(i, isTouched(from, to));
        gone.set(i, isTouched(from, to) && isGone(from, to));
      }
      List<Child> after = new ArrayList<>();
      PageTable open = PageTable.EMPTY; // rewritten, not written yet: grows with what follows
      for (int i = 0; i < count; i++) {
        Child child = new Child(node.firsts().get(i), node.children().get(i));
        if (gone.get(i)) {
          continue;
        }
        if (touched.get(i)) {
          PageKey from = i == 0 ? low : child.first();
          PageKey to = i + 1 < count ? node.firsts().get(i + 1) : high;
          readAhead(node, touched, i);
          PageTable old = nodes.leaf(child.ref()).filter((f, b, row) -> !isCut(f, b));
          open = PageTable.merge(open, PageTable.merge(old, take(from, to)));
          if (open.rows() > MAX_OPEN_ROWS) {
            after.addAll(writeLeaves(open));
            open = PageTable.EMPTY;
          }
        } else if (open.rows() > 0 && isSmall(open) && child.ref().length() < SMALL_LEAF_BYTES) {
          open = PageTable.merge(open, nodes.leaf(child.ref()));
        } else {
          after.addAll(writeLeaves(open));
          open = PageTable.EMPTY;
          after.add(child);
        }
      }
      after.addAll(writeLeaves(open));
      return after;
    }

    private void readAhead(InnerNode node, BitSet touched, int from) {
      if (from % LEAVES_READ_AT_ONCE == 0 || from == touched.nextSetBit(0)) {
        int to = from - from % LEAVES_READ_AT_ONCE + LEAVES_READ_AT_ONCE;
        List<NodeRef> refs =
            touched.stream()
                .filter(i -> i >= from && i < to)
                .mapToObj(i -> node.children().get(i))
                .toList();
        nodes.leaves(refs);
      }
    }

    // ------------------------------------------------------------ ranges

    private int firstRow(@Nullable PageKey key, int otherwise) {
      return key == null ? otherwise : recent.firstFrom(key);
    }

    /** Whether a chosen row or a cut falls into [from, to). */
    private boolean isTouched(@Nullable PageKey from, @Nullable PageKey to) {
      int row = chosen.nextSetBit(firstRow(from, 0));
      if (row >= 0 && row < firstRow(to, recent.rows())) {
        return true;
      }
      // cuts are sorted: where the first that ends behind `from` begins too late, all do
      int at = from == null ? 0 : firstCut(from.file());
      if (at == index.cuts().size()) {
        return false;
      }
      Cut cut = index.cuts().get(at);
      return to == null || new PageKey(cut.file(), cut.fromBlock()).compareTo(to) < 0;
    }

    /** Whether a cut covers [from, to) whole and nothing is to be put there. */
    private boolean isGone(@Nullable PageKey from, @Nullable PageKey to) {
      if (from == null || to == null || firstRow(from, 0) < firstRow(to, recent.rows())) {
        return false;
      }
      return isCut(from.file(), from.block())
          && new PageKey(from.file(), Integer.MAX_VALUE).compareTo(to) >= 0;
    }

    private boolean isCut(FileId file, int block) {
      int at = firstCut(file);
      return at < index.cuts().size()
          && index.cuts().get(at).file().equals(file)
          && block >= index.cuts().get(at).fromBlock();
    }

    /** The number of the first cut of this file or a later one. */
    private int firstCut(FileId file) {
      int low = 0;
      int high = index.cuts().size();
      while (low < high) {
        int middle = (low + high) >>> 1;
        if (index.cuts().get(middle).file().compareTo(file) < 0) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      return low;
    }

    /** All recent rows of [from, to), which move into the tree now. */
    private PageTable take(@Nullable PageKey from, @Nullable PageKey to) {
      int first = firstRow(from, 0);
      int end = firstRow(to, recent.rows());
      moved.set(first, Math.max(first, end));
      return recent.slice(first, Math.max(first, end));
    }

    // ------------------------------------------------------------ writing

    private static boolean isSmall(PageTable table) {
      return rawBytes(table) < SMALL_LEAF_BYTES;
    }

    private static int rawBytes(PageTable table) {
      var body = new BinaryWriter(LEAF_BYTES);
      table.write(body);
      return body.length();
    }

    /** As leaves of about the same size, none above its bound. */
    private List<Child> writeLeaves(PageTable table) {
      List<Child> leaves = new ArrayList<>();
      if (table.rows() == 0) {
        return leaves;
      }
      int pieces = Math.ceilDiv(rawBytes(table), LEAF_BYTES);
      for (int piece = 0; piece < pieces; piece++) {
        int from = (int) ((long) table.rows() * piece / pieces);
        int to = (int) ((long) table.rows() * (piece + 1) / pieces);
        if (from < to) {
          PageTable leaf = table.slice(from, to);
          var body = new BinaryWriter(LEAF_BYTES);
          leaf.write(body);
          leaves.add(new Child(leaf.key(0), out.write(0, body, leaf.rows())));
        }
      }
      return leaves;
    }

    private List<Child> writeInner(int level, List<Child> children) {
      List<Child> written = new ArrayList<>();
      int pieces = Math.ceilDiv(children.size(), InnerNode.FAN_OUT);
      for (int piece = 0; piece < pieces; piece++) {
        int from = (int) ((long) children.size() * piece / pieces);
        int to = (int) ((long) children.size() * (piece + 1) / pieces);
        InnerNode node = node(level, children.subList(from, to));
        var body = new BinaryWriter(1 << 14);
        node.write(body);
        written.add(new Child(children.get(from).first(), out.write(level, body, node.pages())));
      }
      return written;
    }
  }
}
