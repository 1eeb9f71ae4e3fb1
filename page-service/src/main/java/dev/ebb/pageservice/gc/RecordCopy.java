package dev.ebb.pageservice.gc;

import dev.ebb.pageservice.index.IndexMerge;
import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.index.NodeRef;
import dev.ebb.pageservice.index.PackObject;
import dev.ebb.pageservice.index.PageIndex;
import dev.ebb.pageservice.index.PageLocation;
import dev.ebb.pageservice.index.PageTable;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackBuilder;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies the records that an index finds in some packs into new ones, and makes the index that
 * finds them there. A record's checksum covers its place, not its pack: it is checked and copied as
 * it is; one that is damaged stays where it is. In memory it has one pack and some MB of places.
 * Blocking; for one thread.
 */
final class RecordCopy {
  private static final Logger log = LoggerFactory.getLogger(RecordCopy.class);
  private static final int ROWS_READ_AT_ONCE = 4_096;
  private static final int MAX_PENDING_ROWS = 1 << 18;

  private final ObjectStore store;
  private final SnapshotReader reader;
  private final PageCodec codec;
  private final IndexMerge merge;
  private final GcLimits limits;
  private final BranchId branch;
  private final SnapshotId writer;
  private final Set<String> packs;

  private final List<Row> unread = new ArrayList<>();
  private final byte[] page = new byte[PageCodec.BLOCK_BYTES];
  private PackBuilder filling = new PackBuilder();
  private PageTable pending = PageTable.EMPTY;
  private PageIndex index = PageIndex.EMPTY;
  private int written;
  private long bytesCopied;

  private record Row(FileId file, int block, PageLocation location) {}

  /**
   * @param packs the ones to copy out of
   */
  RecordCopy(
      ObjectStore store,
      SnapshotReader reader,
      PageCodec codec,
      IndexMerge merge,
      GcLimits limits,
      BranchId branch,
      SnapshotId writer,
      Set<String> packs) {
    this.store = store;
    this.reader = reader;
    this.codec = codec;
    this.merge = merge;
    this.limits = limits;
    this.branch = branch;
    this.writer = writer;
    this.packs = packs;
  }

  long bytesCopied() {
    return bytesCopied;
  }

  /**
   * The index that finds the copies; what it refers to is stored.
   *
   * @param from has everything in its tree
   * @param rewritten objects of the index whose nodes are written again
   */
  PageIndex run(IndexWalk walk, PageIndex from, Set<String> rewritten) {
    index = from;
    walk.walk(
        from,
        new IndexWalk.Visitor() {
          private final Set<NodeRef> again = new HashSet<>();

          @Override
          public boolean enter(NodeRef ref, int level) {
            return true;
          }

          @Override
          public void pages(PageTable table, List<NodeRef> path) {
            boolean touch = false;
            for (NodeRef ref : path) {
              touch |= rewritten.contains(ref.object()) && again.add(ref);
            }
            RecordCopy.this.pages(table, touch);
          }
        });
    read();
    write();
    merge();
    return index;
  }

  /**
   * @param touch whether a page of the table, at least, is to be put anew, were it where it is: so
   *     that the leaf and the nodes above it are written again
   */
  private void pages(PageTable table, boolean touch) {
    boolean[] first = {touch}; // a page that is copied would do, but may turn out to be damaged
    var touched = new PageTable.Builder();
    table.forEach((FileId file, int block, @Nullable PageLocation location) -> {
      if (location != null && packs.contains(location.pack().key()) && hasRoom()) {
        unread.add(new Row(file, block, location));
      } else if (first[0]) {
        touched.add(file, block, location);
        first[0] = false;
      }
    });
    // rows that are copied come later and win
    pending = PageTable.merge(touched.build(), pending);
    if (unread.size() >= ROWS_READ_AT_ONCE) {
      read();
    }
  }

  private boolean hasRoom() {
    return bytesCopied < limits.maxCopyBytes();
  }

  private void read() {
    for (int from = 0; from < unread.size(); from += ROWS_READ_AT_ONCE) {
      List<Row> rows = unread.subList(from, Math.min(from + ROWS_READ_AT_ONCE, unread.size()));
      List<byte[]> records = reader.records(rows.stream().map(Row::location).toList());
      for (int i = 0; i < rows.size(); i++) {
        copy(rows.get(i), records.get(i));
      }
    }
    unread.clear();
  }

  private void copy(Row row, byte[] record) {
    try {
      codec.decode(row.file(), row.block(), record, 0, record.length, page, 0);
    } catch (EbbException.Corrupt e) {
      log.error("{} of pack {} is left where it is", e.getMessage(), row.location().pack().key());
      return;
    }
    filling.add(row.file(), row.block(), record, 0, record.length);
    bytesCopied += record.length;
    if (filling.bytes() >= limits.packBytes()) {
      write();
    }
  }

  private void write() {
    if (filling.pages() == 0) {
      return;
    }
    String key = BranchKeys.pack(branch, writer, written++);
    var rows = new ArrayList<Row>();
    var unsized = new PackObject(key, 0);
    PackBuilder.Built built =
        filling.build(
            key,
            (file, block, offset, length) ->
                rows.add(new Row(file, block, new PageLocation(unsized, offset, length))));
    filling = new PackBuilder();
    store.put(key, built.content());
    var pack = new PackObject(key, built.ref().bytes());
    var places = new PageTable.Builder();
    for (Row row : rows) {
      PageLocation at = row.location();
      places.add(row.file(), row.block(), new PageLocation(pack, at.offset(), at.length()));
    }
    pending = PageTable.merge(pending, places.build());
    if (pending.rows() >= MAX_PENDING_ROWS) {
      merge();
    }
  }

  private void merge() {
    if (pending.rows() > 0) {
      index = merge.apply(index, List.of(), pending, 0);
      pending = PageTable.EMPTY;
    }
  }
}
