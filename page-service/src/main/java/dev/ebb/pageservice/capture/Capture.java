package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.cache.Futures;
import dev.ebb.pageservice.index.IndexMerge;
import dev.ebb.pageservice.index.IndexObjects;
import dev.ebb.pageservice.index.PageIndex;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackBuilder;
import dev.ebb.pageservice.pack.PackRef;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.bus.PageMessage.CaptureCommitted;
import dev.ebb.shared.bus.PageMessage.PutPages;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.Ancestor;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One capture. Its objects are deleted when it fails or is given up, but never once the head's
 * compare-and-set was sent and not clearly refused: a write that timed out may still take place,
 * and the head then refers to them. Blocking; one call at a time, others wait.
 */
final class Capture {
  private static final Logger log = LoggerFactory.getLogger(Capture.class);

  /** Each lost race means that a compaction committed. */
  private static final int MAX_COMPOSITIONS = 10;

  /** Where a capture stands. */
  private sealed interface State {
    record Open() implements State {}

    /** Everything is stored but the head, of which nobody knows. */
    record InDoubt(Prepared prepared) implements State {}

    record Committed(CaptureCommitted answer) implements State {}

    record Over(EbbException reason) implements State {}
  }

  /**
   * What a commit stored before it changes the head.
   *
   * @param headKey the manifest that the head has now
   */
  private record Prepared(
      String headKey,
      SnapshotView view,
      PackRef bootPack,
      byte[] bootContent,
      boolean closed,
      long bytes) {}

  private final CaptureIdentity identity;
  private final ObjectStore store;
  private final BranchHeads heads;
  private final SnapshotReader reader;
  private final PageCodec codec;
  private final ExecutorService threads;
  private final CaptureLimits limits;
  private final Clock clock;
  private final CaptureMeters meters;
  private final IndexObjects index;
  private final CapturedPlaces places;
  private final PackWriter packs;
  private final List<String> manifests = new ArrayList<>();
  private final CapturedBlocks blocks = new CapturedBlocks();
  private final BootPages boot = new BootPages();
  private final ReentrantLock lock = new ReentrantLock();
  private State state = new State.Open();
  private int pages;

  Capture(
      CaptureIdentity identity,
      ObjectStore store,
      SnapshotReader reader,
      PageCodec codec,
      ExecutorService threads,
      CaptureLimits limits,
      AtomicLong buffered,
      Clock clock,
      CaptureMeters meters) {
    this.identity = identity;
    this.store = store;
    this.heads = new BranchHeads(store);
    this.reader = reader;
    this.codec = codec;
    this.threads = threads;
    this.limits = limits;
    this.clock = clock;
    this.meters = meters;
    this.index = new IndexObjects(store, identity.branch(), identity.snapshot().value());
    this.places =
        new CapturedPlaces(
            reader,
            new IndexMerge(reader.nodes(), index),
            () -> CaptureBase.now(identity, heads, reader).view());
    this.packs =
        new PackWriter(
            store, threads, identity.branch(), identity.snapshot(), limits, buffered, places);
  }

  CaptureIdentity identity() {
    return identity;
  }

  /** Takes pages; on return they are in memory or in the store. */
  void put(PutPages put) {
    int count = put.bytes().length / PageCodec.BLOCK_BYTES;
    var file = new FileId(put.file(), put.incarnation());
    // outside the lock: most of the work
    var records = new byte[count * PageCodec.MAX_RECORD_BYTES];
    var ends = new int[count];
    int at = 0;
    for (int i = 0; i < count; i++) {
      int from = i * PageCodec.BLOCK_BYTES;
      at += codec.encode(file, put.firstBlock() + i, put.bytes(), from, records, at);
      ends[i] = at;
    }
    locked(() -> {
      requireOpen();
      try {
        for (int i = 0; i < count; i++) {
          int from = i == 0 ? 0 : ends[i - 1];
          int block = put.firstBlock() + i;
          boot.add(file, block, put.boot(), records, from, ends[i] - from);
          packs.add(file, block, records, from, ends[i] - from);
        }
      } catch (EbbException.Invalid e) {
        throw e;
      } catch (EbbException | IllegalStateException e) {
        throw giveUp(e);
      }
      blocks.add(file, put.firstBlock(), count);
      pages += count;
      return null;
    });
  }

  /**
   * Commits, or answers as before where it did already. {@code Invalid} (the manifest is not of
   * this capture, or pages are missing) leaves the capture as it is; {@code Unavailable} either
   * ends it or leaves it in doubt, and a repeated commit tells.
   */
  CaptureCommitted commit(byte[] encoded, boolean closed) {
    return locked(() ->
        switch (state) {
          case State.Committed committed -> committed.answer();
          case State.Over over -> throw over.reason();
          case State.InDoubt inDoubt -> settle(inDoubt.prepared());
          case State.Open open -> {
            Manifest manifest = ManifestCodec.decode(encoded);
            requireOwn(manifest);
            yield commitOnHead(manifest, closed);
          }
        });
  }

  private CaptureCommitted settle(Prepared prepared) {
    try {
      return changeHead(prepared);
    } catch (Revised impossible) {
      throw new IllegalStateException(impossible); // not of a commit in doubt
    }
  }

  /** Composes the snapshot on the head as it is now, again where a compaction was faster. */
  private CaptureCommitted commitOnHead(Manifest manifest, boolean closed) {
    for (int attempt = 1; ; attempt++) {
      requireYoung();
      try {
        return changeHead(prepare(manifest, closed));
      } catch (Revised revised) {
        meters.composedAnew();
        if (attempt == MAX_COMPOSITIONS) {
          throw giveUp(
              new EbbException.Unavailable(
                  "the head of "
                      + identity.branch()
                      + " changed under each of "
                      + attempt
                      + " attempts"));
        }
      }
    }
  }

  /** The head has another revision of the snapshot by now. */
  private static final class Revised extends Exception {
    private static final long serialVersionUID = 1L;

    Revised() {
      super(null, null, false, false);
    }
  }

  private void requireYoung() {
    Optional<EbbException> old = tooOld();
    if (old.isPresent()) {
      throw giveUp(old.get());
    }
  }

  private Optional<EbbException> tooOld() {
    long ageMs = clock.millis() - identity.openedMs();
    return ageMs <= limits.maxAgeMs()
        ? Optional.empty()
        : Optional.of(
            new EbbException.Unavailable(
                "the capture took "
                    + ageMs
                    + " ms, of at most "
                    + limits.maxAgeMs()
                    + ": what it wrote may be collected; capture again"));
  }

  /** The head must not be changed any more: what was written may be gone. */
  private static final class Late extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final EbbException reason;

    Late(EbbException reason) {
      super(reason);
      this.reason = reason;
    }
  }

  /**
   * Asked with the head that the write is about to take the place of. The age alone would not do:
   * the process may stop behind the look at its clock. A collection changes the head before it
   * deletes, so that a write behind such a stop fails, and this is asked again.
   */
  private void requireInTime(BranchHead before, Prepared prepared) {
    tooOld()
        .ifPresent(reason -> {
          throw new Late(reason);
        });
    if (before.collectedBefore() == identity.collectedBefore()) {
      return;
    }
    Set<String> old = new HashSet<>(index.keys());
    packs.packs().forEach(pack -> old.add(pack.key()));
    old.add(prepared.view().key());
    if (prepared.bootContent().length > 0) {
      old.add(prepared.bootPack().key());
    }
    String branch = BranchKeys.prefix(identity.branch());
    for (String kind : List.of("packs/", "index/", "manifests/")) {
      store.list(branch + kind + identity.snapshot()).stream()
          .filter(object -> object.modifiedEpochMs() > before.collectedBefore())
          .forEach(object -> old.remove(object.key()));
    }
    if (!old.isEmpty()) {
      throw new Late(
          new EbbException.Unavailable(
              "a collection went by while the capture was made: "
                  + old.size()
                  + " objects that it wrote may be gone; capture again"));
    }
  }

  private void requireOwn(Manifest manifest) {
    if (!manifest.snapshot().equals(identity.snapshot())
        || !manifest.branch().equals(identity.branch())
        || !manifest.generation().equals(identity.generation())) {
      throw new EbbException.Invalid(
          "the manifest is of snapshot "
              + manifest.snapshot()
              + ", not of capture "
              + identity.snapshot());
    }
  }

  private Prepared prepare(Manifest manifest, boolean closed) {
    try {
      CaptureBase base = CaptureBase.now(identity, heads, reader);
      blocks.requireComplete(manifest, base.view());
      packs.finish();
      long indexBefore = index.bytesWritten();
      byte[] pageIndex = places.compose(base.view(), manifest, blocks).encode();
      long now = clock.millis();
      List<Ancestor> history = base.history(identity, store, now, limits.pitrWindowMs());
      SnapshotView plain = view(manifest, now, history, "", pageIndex);
      if (!boot.hasAll(manifest, plain)) {
        packs.await(); // the rest is read from there
      }
      PackBuilder bootBuilder = boot.build(plain, reader, codec);
      String bootKey =
          bootBuilder.pages() == 0
              ? ""
              : BranchKeys.bootPack(identity.branch(), identity.snapshot());
      PackBuilder.Built bootPack = bootBuilder.build(bootKey);
      byte[] bootContent = bootKey.isEmpty() ? new byte[0] : bootPack.content();
      SnapshotView view = view(manifest, now, history, bootKey, pageIndex);
      // nothing refers to any of them yet: in whatever order they arrive
      CompletableFuture<?> bootWritten =
          CompletableFuture.runAsync(
              () -> {
                if (!bootKey.isEmpty()) {
                  store.put(bootKey, bootContent);
                }
              },
              threads);
      manifests.add(view.key());
      CompletableFuture<?> manifestWritten =
          CompletableFuture.runAsync(() -> store.put(view.key(), view.encoded()), threads);
      CompletableFuture.allOf(bootWritten, manifestWritten).handle((done, error) -> null).join();
      packs.await();
      Futures.await(bootWritten);
      Futures.await(manifestWritten);
      long packBytes = manifests.size() == 1 ? packs.bytesWritten() : 0;
      long indexBytes = index.bytesWritten() - (manifests.size() == 1 ? 0 : indexBefore);
      meters.uploaded(packBytes, indexBytes, view.encoded().length, bootContent.length);
      long bytes =
          packs.bytesWritten() + index.bytesWritten() + bootContent.length + view.encoded().length;
      return new Prepared(base.headKey(), view, bootPack.ref(), bootContent, closed, bytes);
    } catch (EbbException.Invalid e) {
      throw e;
    } catch (EbbException | IllegalStateException e) {
      throw giveUp(e);
    }
  }

  /** The manifest as it will be stored: the caller's, with where the pages are. */
  private SnapshotView view(
      Manifest m, long now, List<Ancestor> history, String bootPack, byte[] pageIndex) {
    Manifest whole = m.committed(now, history, bootPack, pageIndex);
    // no key is ever used twice: a second attempt is a revision of its own
    String key =
        manifests.isEmpty()
            ? BranchKeys.manifest(identity.branch(), identity.snapshot())
            : BranchKeys.manifest(
                identity.branch(), identity.snapshot(), SnapshotId.random().value());
    return new SnapshotView(
        key, ManifestCodec.encode(whole), whole, PageIndex.decode(key, pageIndex));
  }

  private CaptureCommitted changeHead(Prepared prepared) throws Revised {
    Manifest manifest = prepared.view().manifest();
    if (identity.hasHead()) {
      try {
        heads.commitSnapshot(
            identity.branch(),
            identity.generation(),
            prepared.headKey(),
            prepared.view().key(),
            prepared.closed(),
            prepared.closed() ? manifest.endLsn() : Lsn.INVALID,
            before -> requireInTime(before, prepared));
      } catch (Late late) {
        return refusedBy(late.reason, prepared);
      } catch (EbbException.Fenced | EbbException.Conflict refused) {
        return refusedBy(refused, prepared);
      } catch (EbbException.Unavailable unknown) {
        state = new State.InDoubt(prepared);
        throw unknown;
      }
    }
    return committed(prepared, prepared.view().key());
  }

  private CaptureCommitted committed(Prepared prepared, String manifestKey) {
    reader.keep(prepared.view(), prepared.bootPack(), prepared.bootContent());
    var answer =
        new CaptureCommitted(
            manifestKey, prepared.view().manifest().endLsn(), prepared.bytes(), pages);
    state = new State.Committed(answer);
    boot.clear(); // the answer is kept for a while, for repeated requests
    blocks.clear();
    return answer;
  }

  /** Deletes nothing that the head has, or may have had from an earlier attempt in doubt. */
  private CaptureCommitted refusedBy(EbbException refusal, Prepared prepared) throws Revised {
    Optional<String> now = headManifest();
    if (now.isPresent() && CaptureBase.isSameSnapshot(now.get(), prepared.view().key())) {
      // it did take place, and a compaction has revised it since
      return committed(prepared, now.get());
    }
    if (state instanceof State.InDoubt || now.isEmpty()) {
      log.warn("snapshot {} is left in the store: its head was in doubt", prepared.view().key());
      state = new State.Over(refusal);
      throw refusal;
    }
    if (refusal instanceof EbbException.Conflict
        && !now.get().equals(prepared.headKey())
        && CaptureBase.isSameSnapshot(now.get(), prepared.headKey())) {
      throw new Revised();
    }
    throw giveUp(refusal);
  }

  /** The manifest that the head has; empty where that cannot be said. */
  private Optional<String> headManifest() {
    try {
      return heads.read(identity.branch()).map(v -> v.head().manifestKey());
    } catch (EbbException e) {
      log.warn("the head of {} cannot be read", identity.branch(), e);
      return Optional.empty();
    }
  }

  /** Gives the capture up, unless it is committed; its objects go unless the head may have them. */
  void abort(String reason) {
    locked(() -> {
      switch (state) {
        case State.Open open -> giveUp(new EbbException.NotFound(reason));
        case State.InDoubt inDoubt ->
            log.warn(
                "snapshot {} is left in the store: its head is in doubt",
                inDoubt.prepared().view().key());
        case State.Committed committed -> log.trace("{} is committed", identity.snapshot());
        case State.Over over -> log.trace("{} is over", identity.snapshot());
      }
      return null;
    });
  }

  private EbbException giveUp(RuntimeException error) {
    EbbException reason =
        error instanceof EbbException known
            ? known
            : new EbbException.Unavailable("the capture failed: " + error.getMessage(), error);
    state = new State.Over(reason);
    packs.discard();
    List<String> keys = new ArrayList<>();
    packs.packs().forEach(pack -> keys.add(pack.key()));
    keys.add(BranchKeys.bootPack(identity.branch(), identity.snapshot()));
    keys.addAll(manifests);
    keys.addAll(index.keys());
    for (String key : keys) {
      try {
        store.delete(key);
      } catch (EbbException e) {
        log.warn("{} of a capture that failed is left in the store: {}", key, e.getMessage());
      }
    }
    return reason;
  }

  private void requireOpen() {
    switch (state) {
      case State.Open open -> log.trace("{} takes pages", identity.snapshot());
      case State.InDoubt inDoubt ->
          throw new EbbException.Conflict("capture " + identity.snapshot() + " is being committed");
      case State.Committed committed ->
          throw new EbbException.Conflict("capture " + identity.snapshot() + " is committed");
      case State.Over over -> throw over.reason();
    }
  }

  /** What runs under the lock. */
  private interface Action<T extends @Nullable Object> {
    T run();
  }

  private <T extends @Nullable Object> T locked(Action<T> action) {
    lock.lock();
    try {
      return action.run();
    } finally {
      lock.unlock();
    }
  }
}
