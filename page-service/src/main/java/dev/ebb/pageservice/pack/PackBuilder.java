package dev.ebb.pageservice.pack;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Collects records in whatever order and makes a pack of them: sorted, the last one where a page
 * came several times. Not thread-safe.
 */
public final class PackBuilder {
  private static final int SLAB_BYTES = 1 << 20;

  /** A record where it lies. */
  private record Entry(FileId file, int block, byte[] slab, int from, int length) {
    static final Comparator<Entry> ORDER =
        Comparator.comparing(Entry::file).thenComparingInt(Entry::block);

    boolean samePlace(Entry other) {
      return block == other.block && file.equals(other.file);
    }
  }

  /**
   * A pack ready to be stored.
   *
   * @param content the object
   * @param pages how many it holds
   */
  public record Built(PackRef ref, byte[] content, int pages) {}

  /** What sees the records of a pack, in order; one of length 0 is a page of zeroes. */
  @FunctionalInterface
  public interface Visitor {
    void record(FileId file, int block, int offset, int length);
  }

  private final List<Entry> entries = new ArrayList<>();
  private byte[] slab = new byte[0];
  private int slabUsed;
  private long bytes;

  /** The records' bytes so far. */
  public long bytes() {
    return bytes;
  }

  public int pages() {
    return entries.size();
  }

  /** Adds a copy of a record that {@link PageCodec} made. */
  public void add(FileId file, int block, byte[] record, int from, int length) {
    if (length > slab.length - slabUsed) {
      slab = new byte[SLAB_BYTES];
      slabUsed = 0;
    }
    System.arraycopy(record, from, slab, slabUsed, length);
    entries.add(new Entry(file, block, slab, slabUsed, length));
    slabUsed += length;
    bytes += length;
  }

  /** The pack, to be stored under {@code key}. */
  public Built build(String key) {
    return build(key, (file, block, offset, length) -> {});
  }

  /** The same, telling where which record is. */
  public Built build(String key, Visitor visitor) {
    List<Entry> pages = sorted();
    int count = pages.size();
    var files = new FileId[count];
    var blocks = new int[count];
    var lengths = new int[count];
    int recordBytes = 0;
    for (int i = 0; i < count; i++) {
      Entry entry = pages.get(i);
      files[i] = entry.file();
      blocks[i] = entry.block();
      lengths[i] = entry.length();
      visitor.record(files[i], blocks[i], PackIndex.RECORDS_START + recordBytes, lengths[i]);
      recordBytes = Math.addExact(recordBytes, entry.length());
    }
    byte[] index = PackIndex.encode(files, blocks, lengths);
    int size = PackIndex.RECORDS_START + recordBytes + index.length;
    ByteBuffer out =
        ByteBuffer.allocate(size).putInt(PackIndex.PACK_MAGIC).put((byte) PackIndex.VERSION);
    for (Entry entry : pages) {
      out.put(entry.slab(), entry.from(), entry.length());
    }
    out.put(index);
    return new Built(new PackRef(key, size, index.length), out.array(), count);
  }

  private List<Entry> sorted() {
    var all = entries.toArray(Entry[]::new);
    Arrays.sort(all, Entry.ORDER); // stable: of one place the last is the newest
    var kept = new ArrayList<Entry>(all.length);
    for (int i = 0; i < all.length; i++) {
      if (i + 1 == all.length || !all[i].samePlace(all[i + 1])) {
        kept.add(all[i]);
      }
    }
    return kept;
  }
}
