package dev.ebb.pageservice.index;

import dev.ebb.pageservice.cache.ChunkCache;
import dev.ebb.pageservice.cache.ChunkKey;
import dev.ebb.pageservice.cache.ObjectCache;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.Weighed;
import dev.ebb.shared.error.EbbException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Reads the nodes of page indexes, through the caches of ranges (as stored) and of objects
 * (decoded). Blocking; thread-safe.
 */
public final class IndexNodes {
  private final ChunkCache chunks;
  private final ObjectCache objects;

  public IndexNodes(ChunkCache chunks, ObjectCache objects) {
    this.chunks = chunks;
    this.objects = objects;
  }

  private record Leaf(PageTable table) implements Weighed {
    @Override
    public int weight() {
      return table.weight();
    }
  }

  private record Inner(InnerNode node) implements Weighed {
    @Override
    public int weight() {
      return node.weight();
    }
  }

  /** Where a page is, if the index has it. */
  public sealed interface Found {
    /** A page of zeroes. */
    record Zero() implements Found {}

    /** A record. */
    record At(PageLocation location) implements Found {}

    /** The index does not have it. */
    record Missing() implements Found {}
  }

  private static final Found ZERO = new Found.Zero();
  private static final Found MISSING = new Found.Missing();

  /** Where consecutive blocks are. */
  public Found[] find(PageIndex index, FileId file, int firstBlock, int count) {
    var found = new Found[count];
    boolean all = true;
    for (int i = 0; i < count; i++) {
      int row = index.recent().find(file, firstBlock + i);
      if (row >= 0) {
        found[i] = at(index.recent(), row);
      } else {
        all = false;
      }
    }
    if (!all) {
      findInTree(index, file, firstBlock, found);
    }
    return found;
  }

  private void findInTree(PageIndex index, FileId file, int firstBlock, Found[] found) {
    int cut = Integer.MAX_VALUE;
    for (Cut known : index.cuts()) {
      cut = known.file().equals(file) ? known.fromBlock() : cut;
    }
    InnerNode root = index.root();
    for (int i = 0; i < found.length; i++) {
      if (found[i] != null) {
        continue;
      }
      if (root == null || firstBlock + i >= cut) {
        found[i] = MISSING;
        continue;
      }
      // this block's leaf is asked for the following ones, too
      var path = new Path(root);
      PageTable leaf = path.leafOf(new PageKey(file, firstBlock + i));
      for (int j = i; j < found.length && path.covers(new PageKey(file, firstBlock + j)); j++) {
        if (found[j] == null) {
          int row = firstBlock + j >= cut ? -1 : leaf.find(file, firstBlock + j);
          found[j] = row < 0 ? MISSING : at(leaf, row);
        }
      }
    }
  }

  private static Found at(PageTable table, int row) {
    PageLocation location = table.location(row);
    return location == null ? ZERO : new Found.At(location);
  }

  /** A way down, which knows where its leaf's range ends. */
  private final class Path {
    private final InnerNode root;
    private @Nullable PageKey end;

    Path(InnerNode root) {
      this.root = root;
    }

    PageTable leafOf(PageKey key) {
      InnerNode node = root;
      while (true) {
        int child = node.childOf(key);
        if (child + 1 < node.children().size()) {
          end = node.firsts().get(child + 1);
        }
        NodeRef ref = node.children().get(child);
        if (node.level() == 1) {
          return leaf(ref);
        }
        node = inner(ref, node.level() - 1);
      }
    }

    boolean covers(PageKey key) {
      PageKey limit = end;
      return limit == null || key.compareTo(limit) < 0;
    }
  }

  PageTable leaf(NodeRef ref) {
    return objects
        .get(
            ref.cacheKey(),
            Leaf.class,
            () -> new Leaf(load(ref, stored -> NodeCodec.leaf(ref, stored))))
        .table();
  }

  InnerNode inner(NodeRef ref, int level) {
    return objects
        .get(
            ref.cacheKey(),
            Inner.class,
            () -> new Inner(load(ref, stored -> NodeCodec.inner(ref, level, stored))))
        .node();
  }

  /** Several leaves, those that are not at hand all at once. */
  List<PageTable> leaves(List<NodeRef> refs) {
    Map<NodeRef, PageTable> tables = new LinkedHashMap<>();
    List<NodeRef> missing = new ArrayList<>();
    for (NodeRef ref : refs) {
      Leaf known = objects.ifPresent(ref.cacheKey(), Leaf.class);
      if (known != null) {
        tables.put(ref, known.table());
      } else {
        missing.add(ref);
      }
    }
    if (missing.size() > 1) {
      // into the cache of ranges, from where they are decoded one by one
      chunks.get(missing.stream().map(IndexNodes::range).toList());
    }
    List<PageTable> found = new ArrayList<>(refs.size());
    for (NodeRef ref : refs) {
      PageTable table = tables.get(ref);
      found.add(table != null ? table : leaf(ref));
    }
    return found;
  }

  static ChunkKey range(NodeRef ref) {
    return new ChunkKey(ref.object(), ref.offset(), ref.length());
  }

  private <T> T load(NodeRef ref, Function<byte[], T> decode) {
    ChunkKey range = range(ref);
    try {
      return decode.apply(one(chunks.get(List.of(range)), range));
    } catch (EbbException.Corrupt damaged) {
      // was it the cache or the store? the store decides
      return chunks.reread(List.of(range), fresh -> decode.apply(one(fresh, range)));
    }
  }

  private static byte[] one(Map<ChunkKey, byte[]> found, ChunkKey range) {
    byte[] stored = found.get(range);
    if (stored == null) {
      throw new IllegalStateException(range + " was not fetched");
    }
    return stored;
  }
}
