package dev.ebb.pageservice.index;

import dev.ebb.shared.page.BinaryReader;
import dev.ebb.shared.page.BinaryWriter;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An inner node: children in order, each with the first key that its leaves may have. Immutable.
 *
 * <p>Stored: its level (1 byte, children of level 1 are leaves); in varints the number of objects,
 * and the key of each; the number of children, and of each its first file and block, the number of
 * its object, offset, length, pages, and CRC32C (4 bytes).
 */
record InnerNode(int level, List<PageKey> firsts, List<NodeRef> children) {
  /** What is written. */
  static final int FAN_OUT = 256;

  /** What is read. */
  private static final int MAX_CHILDREN = 4096;

  static final int MAX_LEVEL = 8;

  InnerNode {
    firsts = List.copyOf(firsts);
    children = List.copyOf(children);
  }

  /** The number of the child that holds a key if any does; the first takes all before it, too. */
  int childOf(PageKey key) {
    int low = 0;
    int high = children.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (firsts.get(middle).compareTo(key) <= 0) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  long pages() {
    return children.stream().mapToLong(NodeRef::pages).sum();
  }

  int weight() {
    return 200 + children.size() * 260;
  }

  void write(BinaryWriter out) {
    Map<String, Integer> objects = new LinkedHashMap<>();
    children.forEach(child -> objects.putIfAbsent(child.object(), objects.size()));
    out.putByte(level).putVarint(objects.size());
    objects.keySet().forEach(out::putText);
    out.putVarint(children.size());
    for (int i = 0; i < children.size(); i++) {
      NodeRef child = children.get(i);
      PageKey.write(out, firsts.get(i).file());
      out.putVarint(firsts.get(i).block())
          .putVarint(objects.getOrDefault(child.object(), 0))
          .putVarint(child.offset())
          .putVarint(child.length())
          .putVarint(child.pages())
          .putInt(child.crc());
    }
  }

  static InnerNode read(BinaryReader in) {
    int level = in.takeByte();
    if (level < 1 || level > MAX_LEVEL) {
      throw in.corrupt("an inner node of level " + level);
    }
    var objects = new String[in.takeCount(1)];
    for (int i = 0; i < objects.length; i++) {
      objects[i] = in.takeText();
    }
    int count = Math.min(in.takeCount(15), MAX_CHILDREN);
    var firsts = new PageKey[count];
    var children = new NodeRef[count];
    for (int i = 0; i < count; i++) {
      firsts[i] = new PageKey(PageKey.readFile(in), in.takeVarint(Integer.MAX_VALUE));
      if (i > 0 && firsts[i - 1].compareTo(firsts[i]) >= 0) {
        throw in.corrupt("its children are out of order at " + firsts[i]);
      }
      int object = in.takeVarint(Integer.MAX_VALUE);
      if (object >= objects.length) {
        throw in.corrupt("object " + object);
      }
      int offset = in.takeVarint(Integer.MAX_VALUE);
      int length = in.takeVarint(NodeCodec.MAX_STORED_BYTES);
      long pages = in.takeVarint();
      children[i] = new NodeRef(objects[object], offset, length, in.takeInt(), pages);
    }
    return new InnerNode(level, Arrays.asList(firsts), Arrays.asList(children));
  }
}
