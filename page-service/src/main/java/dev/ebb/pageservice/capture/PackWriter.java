package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.cache.Futures;
import dev.ebb.pageservice.index.PackObject;
import dev.ebb.pageservice.index.PageLocation;
import dev.ebb.pageservice.index.PageTable;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackBuilder;
import dev.ebb.pageservice.pack.PackRef;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Writes a capture's packs: one fills while the one before is on its way to the store. Not
 * thread-safe.
 */
final class PackWriter {
  /** Zero pages take no bytes, but a place in the index. */
  private static final int MAX_PAGES = 1 << 18;

  private static final int MIN_EARLY_BYTES = 1 << 20;

  private final ObjectStore store;
  private final ExecutorService threads;
  private final BranchId branch;
  private final SnapshotId snapshot;
  private final CaptureLimits limits;

  /** Records that wait in memory, of all captures. */
  private final AtomicLong buffered;

  private final CapturedPlaces places;
  private final List<PackRef> packs = new ArrayList<>();
  private PackBuilder filling = new PackBuilder();
  private CompletableFuture<?> writing = CompletableFuture.completedFuture(null);
  private long bytesWritten;

  PackWriter(
      ObjectStore store,
      ExecutorService threads,
      BranchId branch,
      SnapshotId snapshot,
      CaptureLimits limits,
      AtomicLong buffered,
      CapturedPlaces places) {
    this.store = store;
    this.threads = threads;
    this.branch = branch;
    this.snapshot = snapshot;
    this.limits = limits;
    this.buffered = buffered;
    this.places = places;
  }

  /** Adds a record; waits for the store where packs fill faster than it takes them. */
  void add(FileId file, int block, byte[] record, int from, int length) {
    filling.add(file, block, record, from, length);
    long all = buffered.addAndGet(length);
    boolean early = all > limits.bufferBytes() && filling.bytes() >= MIN_EARLY_BYTES;
    if (early || filling.bytes() >= limits.packBytes() || filling.pages() >= MAX_PAGES) {
      startWriting();
    }
  }

  /** Begins to write what is left; {@link #await} waits for it. */
  void finish() {
    if (filling.pages() > 0) {
      startWriting();
    }
  }

  /** Waits until every pack that was begun is stored. */
  void await() {
    Futures.await(writing);
  }

  private void startWriting() {
    await();
    var found = new PlacesOfPack();
    PackBuilder.Built pack = filling.build(BranchKeys.pack(branch, snapshot, packs.size()), found);
    long records = filling.bytes();
    filling = new PackBuilder();
    packs.add(pack.ref());
    bytesWritten += pack.ref().bytes();
    writing =
        CompletableFuture.runAsync(
            () -> {
              try {
                store.put(pack.ref().key(), pack.content());
              } finally {
                buffered.addAndGet(-records);
              }
            },
            threads);
    places.add(pack.ref(), found.table(pack.ref()));
  }

  /** Notes where a pack's records go, before its size is known. */
  private static final class PlacesOfPack implements PackBuilder.Visitor {
    private record Row(FileId file, int block, int offset, int length) {}

    private final List<Row> rows = new ArrayList<>();

    @Override
    public void record(FileId file, int block, int offset, int length) {
      rows.add(new Row(file, block, offset, length));
    }

    PageTable table(PackRef pack) {
      var object = new PackObject(pack.key(), pack.bytes());
      var table = new PageTable.Builder();
      for (Row row : rows) {
        table.add(
            row.file(),
            row.block(),
            row.length() == 0 ? null : new PageLocation(object, row.offset(), row.length()));
      }
      return table.build();
    }
  }

  /** Every pack begun so far, the oldest first. */
  List<PackRef> packs() {
    return List.copyOf(packs);
  }

  long bytesWritten() {
    return bytesWritten;
  }

  /** Forgets what is not written; waits for what is being written, whatever comes of it. */
  void discard() {
    buffered.addAndGet(-filling.bytes());
    filling = new PackBuilder();
    writing.handle((done, error) -> null).join();
  }
}
