package dev.ebb.pageservice.index;

import dev.ebb.pageservice.cache.ChunkCache;
import dev.ebb.pageservice.cache.ChunkKey;
import dev.ebb.shared.error.EbbException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Sees all of a page index, past the caches: it would drive out what computes read. Nodes that lie
 * side by side come in one ranged read. Blocking; in memory it has one node a level and its leaves.
 */
public final class IndexWalk {
  private final ChunkCache chunks;

  public IndexWalk(ChunkCache chunks) {
    this.chunks = chunks;
  }

  /** What sees the parts of an index, parents first. */
  public interface Visitor {
    /** A node, before it is read; false leaves it out with everything below. */
    boolean enter(NodeRef ref, int level);

    /**
     * Pages: of the manifest itself, or of a leaf that was entered.
     *
     * @param path the nodes from below the root to the leaf; empty for the manifest. Valid only now
     */
    void pages(PageTable table, List<NodeRef> path);

    /** A node that was entered cannot be read; what is below it is left out. */
    default void damaged(NodeRef ref, EbbException.Corrupt error) {
      throw error;
    }
  }

  public void walk(PageIndex index, Visitor visitor) {
    visitor.pages(index.recent(), List.of());
    InnerNode root = index.root();
    if (root != null) {
      walk(root, new ArrayList<>(), visitor);
    }
  }

  private void walk(InnerNode node, List<NodeRef> path, Visitor visitor) {
    int level = node.level() - 1;
    List<NodeRef> entered = new ArrayList<>();
    for (NodeRef child : node.children()) {
      if (visitor.enter(child, level)) {
        entered.add(child);
      }
    }
    Map<ChunkKey, byte[]> stored = read(entered);
    for (NodeRef child : entered) {
      PageTable leaf = PageTable.EMPTY;
      InnerNode inner = null;
      try {
        byte[] bytes = stored.remove(IndexNodes.range(child));
        if (bytes == null) {
          bytes = chunks.readPast(List.of(IndexNodes.range(child))).get(IndexNodes.range(child));
        }
        Objects.requireNonNull(bytes);
        if (level == 0) {
          leaf = NodeCodec.leaf(child, bytes);
        } else {
          inner = NodeCodec.inner(child, level, bytes);
        }
      } catch (EbbException.Corrupt e) {
        visitor.damaged(child, e);
        continue;
      }
      path.addLast(child);
      if (inner == null) {
        visitor.pages(leaf, Collections.unmodifiableList(path));
      } else {
        walk(inner, path, visitor);
      }
      path.removeLast();
    }
  }

  /** Those nodes at once; none where one of them cannot be read. */
  private Map<ChunkKey, byte[]> read(List<NodeRef> refs) {
    try {
      return chunks.readPast(refs.stream().map(IndexNodes::range).toList());
    } catch (EbbException.Corrupt e) {
      return new HashMap<>();
    }
  }
}
