package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.bus.PageMessage.CaptureCommitted;
import dev.ebb.shared.bus.PageMessage.CommitCapture;
import dev.ebb.shared.bus.PageMessage.OpenCapture;
import dev.ebb.shared.bus.PageMessage.PutPages;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Clock;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The captures of this instance. Blocking. */
public final class Captures {
  private static final Logger log = LoggerFactory.getLogger(Captures.class);

  private final ObjectStore store;
  private final BranchHeads heads;
  private final SnapshotReader reader;
  private final PageCodec codec;
  private final ExecutorService threads;
  private final CaptureLimits limits;
  private final Clock clock;
  private final AtomicLong buffered = new AtomicLong();
  private final Map<SnapshotId, Held> held = new ConcurrentHashMap<>();
  private final CaptureMeters counts;

  /** A capture and when it was last used. */
  private record Held(Capture capture, AtomicLong usedMs) {}

  public Captures(
      ObjectStore store,
      SnapshotReader reader,
      PageCodec codec,
      ExecutorService threads,
      CaptureLimits limits,
      Clock clock,
      MeterRegistry meters) {
    this.store = store;
    this.heads = new BranchHeads(store);
    this.reader = reader;
    this.codec = codec;
    this.threads = threads;
    this.limits = limits;
    this.clock = clock;
    this.counts = new CaptureMeters(meters);
    meters.gauge("ebb.page.capture.buffered", buffered);
    meters.gaugeMapSize("ebb.page.capture.open", io.micrometer.core.instrument.Tags.empty(), held);
  }

  /** {@code Fenced} where the branch is at another generation already. */
  public SnapshotId open(OpenCapture open) {
    Optional<BranchHead> head = head(open.branch(), open.generation());
    String headKey = head.map(BranchHead::manifestKey).orElse("");
    String baseKey = open.baseManifestKey();
    if (!headKey.isEmpty() && !baseKey.isEmpty() && !CaptureBase.isSameSnapshot(headKey, baseKey)) {
      throw new EbbException.Conflict(
          "branch "
              + open.branch()
              + " has snapshot "
              + headKey
              + ", not "
              + baseKey
              + ": look at its head and capture again");
    }
    SnapshotId snapshot = SnapshotId.random();
    var identity =
        new CaptureIdentity(
            snapshot,
            open.branch(),
            open.generation(),
            baseKey,
            headKey,
            head.map(BranchHead::collectedBefore).orElse(0L),
            clock.millis());
    var capture =
        new Capture(identity, store, reader, codec, threads, limits, buffered, clock, counts);
    held.put(snapshot, new Held(capture, new AtomicLong(clock.millis())));
    return snapshot;
  }

  /** The head that a commit is going to change; empty for a template, which has none. */
  private Optional<BranchHead> head(BranchId branch, Generation generation) {
    Optional<BranchHead> head = heads.read(branch).map(BranchHeads.Versioned::head);
    if (generation.equals(Generation.NONE)) {
      if (head.isPresent()) {
        throw new EbbException.Fenced(
            "branch " + branch + " has a head: captures need its generation");
      }
      return Optional.empty();
    }
    BranchHead now =
        head.filter(h -> !h.dropped())
            .orElseThrow(() ->
                new EbbException.NotFound("branch " + branch + " does not exist or was dropped"));
    if (!now.generation().equals(generation)) {
      throw new EbbException.Fenced(
          "branch " + branch + " is at generation " + now.generation() + ", not " + generation);
    }
    return Optional.of(now);
  }

  public void put(PutPages put) {
    int length = put.bytes().length;
    int count = length / FileKey.BLOCK_BYTES;
    if (length == 0
        || length % FileKey.BLOCK_BYTES != 0
        || count > PageMessage.MAX_PAGES_PER_MESSAGE
        || put.firstBlock() < 0
        || put.incarnation() < 0
        || count > FileKey.BLOCKS_PER_SEGMENT - put.firstBlock()) {
      throw new EbbException.Invalid(
          length + " bytes from block " + put.firstBlock() + " on cannot be put at once");
    }
    require(put.snapshot()).put(put);
    counts.taken(count);
  }

  /**
   * Commits. A capture that this instance does not hold may have been committed before its instance
   * ended: the branch's head tells.
   */
  public CaptureCommitted commit(CommitCapture commit) {
    Held here = held.get(commit.snapshot());
    if (here == null) {
      return committedElsewhere(commit);
    }
    here.usedMs().set(clock.millis());
    Timer.Sample sample = Timer.start();
    CaptureCommitted answer = here.capture().commit(commit.manifest(), commit.closed());
    sample.stop(counts.commits());
    return answer;
  }

  private CaptureCommitted committedElsewhere(CommitCapture commit) {
    Manifest manifest = ManifestCodec.decode(commit.manifest());
    String key =
        heads
            .read(manifest.branch())
            .map(v -> v.head().manifestKey())
            .filter(k -> BranchKeys.snapshotOf(k).equals(commit.snapshot().value()))
            .orElseThrow(() -> unknown(commit.snapshot()));
    return new CaptureCommitted(key, reader.view(key).manifest().endLsn(), 0, 0);
  }

  public void abort(SnapshotId snapshot) {
    Held gone = held.remove(snapshot);
    if (gone != null) {
      gone.capture().abort("capture " + snapshot + " was given up");
    }
  }

  /** Gives up what nobody used for long, and forgets what is committed as long. */
  public void abortIdle() {
    long before = clock.millis() - limits.idleMs();
    held.forEach((snapshot, here) -> {
      if (here.usedMs().get() <= before) {
        log.info("capture {} is idle: giving it up", snapshot);
        abort(snapshot);
      }
    });
  }

  /** Gives up every capture of a branch. */
  public void abortAll(BranchId branch) {
    held.forEach((snapshot, here) -> {
      if (here.capture().identity().branch().equals(branch)) {
        abort(snapshot);
      }
    });
  }

  /** Gives up every capture. */
  public void abortAll() {
    held.keySet().forEach(this::abort);
  }

  private Capture require(SnapshotId snapshot) {
    Held here = held.get(snapshot);
    if (here == null) {
      throw unknown(snapshot);
    }
    here.usedMs().set(clock.millis());
    return here.capture();
  }

  private static EbbException.NotFound unknown(SnapshotId snapshot) {
    return new EbbException.NotFound(
        "capture " + snapshot + " is not known here: capture again from the start");
  }
}
