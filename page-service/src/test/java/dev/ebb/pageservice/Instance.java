package dev.ebb.pageservice;

import dev.ebb.pageservice.cache.ChunkCache;
import dev.ebb.pageservice.cache.ObjectCache;
import dev.ebb.pageservice.cache.SharedCache;
import dev.ebb.pageservice.capture.CaptureLimits;
import dev.ebb.pageservice.capture.Captures;
import dev.ebb.pageservice.check.Checks;
import dev.ebb.pageservice.gc.BranchLogs;
import dev.ebb.pageservice.gc.Collector;
import dev.ebb.pageservice.gc.Compactor;
import dev.ebb.pageservice.gc.GcLimits;
import dev.ebb.pageservice.gc.GcMeters;
import dev.ebb.pageservice.gc.Maintenance;
import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.shared.bus.PageMessage.CaptureCommitted;
import dev.ebb.shared.bus.PageMessage.CommitCapture;
import dev.ebb.shared.bus.PageMessage.OpenCapture;
import dev.ebb.shared.bus.PageMessage.PutPages;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.Manifest.BlockRun;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A page service without its verticle, over a store, with empty caches; for tests. */
public final class Instance implements AutoCloseable {
  public static final BranchId BRANCH = new BranchId("branch1");
  public static final long GRACE_MS = 3_600_000;
  public static final long WINDOW_MS = 7 * 24 * GRACE_MS;

  public final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  public final Ticks clock;

  /** The branches whose logs a collection had deleted. */
  public final Set<BranchId> logsDeleted = new CopyOnWriteArraySet<>();

  /** Where logs are deleted. */
  public volatile BranchLogs logs = branch -> {};

  /** Whether logs cannot be deleted just now. */
  public volatile boolean failLogs;

  public final SnapshotReader reader;
  public final Captures captures;
  public final Collector collector;
  public final Maintenance maintenance;
  public final IndexWalk walk;
  public final Checks checks;
  private final ExecutorService threads;

  /** A clock that a test moves. */
  public static final class Ticks extends Clock {
    private final java.util.concurrent.atomic.AtomicLong nowMs =
        new java.util.concurrent.atomic.AtomicLong(1_000_000);

    public void advanceMs(long ms) {
      nowMs.addAndGet(ms);
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }

    @Override
    public Instant instant() {
      return Instant.ofEpochMilli(nowMs.get());
    }
  }

  public Instance(ObjectStore store) {
    this(store, SharedCache.NONE, 1 << 20);
  }

  public Instance(ObjectStore store, SharedCache shared, int packBytes) {
    this(store, shared, packBytes, new Ticks());
  }

  /** With a clock that others use, too. */
  public Instance(ObjectStore store, Ticks clock) {
    this(store, SharedCache.NONE, 64 << 10, clock);
  }

  private Instance(ObjectStore store, SharedCache shared, int packBytes, Ticks clock) {
    this(store, shared, packBytes, clock, WINDOW_MS, Executors.newVirtualThreadPerTaskExecutor());
  }

  /** With a window and threads of its own; {@code threads} are closed with it. */
  public Instance(
      ObjectStore store,
      SharedCache shared,
      int packBytes,
      Ticks clock,
      long windowMs,
      ExecutorService threads) {
    this.clock = clock;
    this.threads = threads;
    var codec = new PageCodec(1);
    var chunks = new ChunkCache(store, shared, threads, 16 << 20, meters);
    reader = new SnapshotReader(store, new ObjectCache(16 << 20), chunks, codec);
    captures =
        new Captures(
            store,
            reader,
            codec,
            threads,
            new CaptureLimits(packBytes, 8 << 20, 600_000, GRACE_MS / 2, windowMs),
            clock,
            meters);
    walk = new IndexWalk(chunks);
    var gcLimits = new GcLimits(GRACE_MS, windowMs, packBytes, 1 << 30);
    var gcMeters = new GcMeters(meters);
    collector = new Collector(store, walk, threads, this::deleteLog, gcLimits, clock, gcMeters);
    var compactor = new Compactor(store, reader, walk, codec, gcLimits, clock, gcMeters);
    checks = new Checks(store, reader, walk, codec, threads, clock, gcLimits);
    maintenance = new Maintenance(store, collector, compactor, gcMeters, "test");
  }

  private void deleteLog(BranchId branch) {
    if (failLogs) {
      throw new EbbException.Unavailable("injected: no log service");
    }
    logs.delete(branch);
    logsDeleted.add(branch);
  }

  public static BranchHead head(long generation, String manifestKey) {
    return new BranchHead(
        1,
        BRANCH,
        new DatabaseId("db1"),
        77,
        new Generation(generation),
        manifestKey,
        false,
        Lsn.INVALID,
        false);
  }

  public SnapshotId open(long generation, String base) {
    return captures.open(new OpenCapture(BRANCH, new Generation(generation), base));
  }

  public void put(SnapshotId snapshot, FileKey file, int block, byte[] pages) {
    captures.put(new PutPages(snapshot, file, 1, block, false, pages));
  }

  public CaptureCommitted commit(SnapshotId snapshot, long generation, BlockFile... files) {
    return captures.commit(
        new CommitCapture(snapshot, manifest(snapshot, generation, List.of(), files), false));
  }

  public byte[] read(String manifest, FileKey file, int block, int count) {
    return reader.read(manifest, new FileId(file, 1), block, count);
  }

  public static byte[] manifest(
      SnapshotId snapshot, long generation, List<BlockRun> bootBlocks, BlockFile... files) {
    return ManifestCodec.encode(
        new Manifest(
            snapshot,
            BRANCH,
            new Generation(generation),
            180006,
            77,
            1 << 20,
            1,
            new Lsn(0x1000),
            new Lsn(0x1100),
            new Lsn(0x2000),
            false,
            2,
            List.of("base", "base/16384"),
            List.of(new Manifest.SmallFile("PG_VERSION", new byte[] {'1', '8', '\n'})),
            List.of(files),
            List.of(),
            "",
            bootBlocks,
            List.of(),
            -1,
            0,
            List.of(),
            new byte[0]));
  }

  @Override
  public void close() {
    threads.close();
  }
}
