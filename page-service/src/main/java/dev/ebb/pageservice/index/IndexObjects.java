package dev.ebb.pageservice.index;

import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.page.BinaryWriter;
import dev.ebb.shared.store.ObjectStore;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Stores the nodes that one writer makes, many in an object: magic {@code EBBX} (4 bytes), format
 * version (1), then nodes one behind the other. Nothing of it can be read before {@link #flush}.
 * Blocking; for one thread.
 */
public final class IndexObjects {
  static final int MAGIC = 0x45424258;
  static final int VERSION = 1;

  /** An object is written once it takes so much: bounds what is held in memory. */
  private static final int MAX_OBJECT_BYTES = 8 << 20;

  private final ObjectStore store;
  private final BranchId branch;
  private final String writer;
  private final List<String> keys = new ArrayList<>();
  private ByteArrayOutputStream filling = new ByteArrayOutputStream();
  private long bytesWritten;

  /**
   * @param writer a name that nobody wrote under before: part of the keys
   */
  public IndexObjects(ObjectStore store, BranchId branch, String writer) {
    this.store = store;
    this.branch = branch;
    this.writer = writer;
  }

  NodeRef write(int level, BinaryWriter body, long pages) {
    byte[] sealed = NodeCodec.seal(level, body);
    if (filling.size() > 0 && filling.size() + sealed.length > MAX_OBJECT_BYTES) {
      flush();
    }
    if (filling.size() == 0) {
      keys.add(BranchKeys.index(branch, writer, keys.size()));
      byte[] header = new BinaryWriter(8).putInt(MAGIC).putByte(VERSION).toBytes();
      filling.write(header, 0, header.length);
    }
    var ref =
        new NodeRef(keys.getLast(), filling.size(), sealed.length, NodeCodec.crcOf(sealed), pages);
    filling.write(sealed, 0, sealed.length);
    return ref;
  }

  /** Stores what is not stored yet. */
  public void flush() {
    if (filling.size() > 0) {
      byte[] content = filling.toByteArray();
      filling = new ByteArrayOutputStream();
      store.put(keys.getLast(), content);
      bytesWritten += content.length;
    }
  }

  /** Every object begun so far. */
  public List<String> keys() {
    return List.copyOf(keys);
  }

  public long bytesWritten() {
    return bytesWritten;
  }
}
