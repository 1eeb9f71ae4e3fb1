package dev.ebb.pageservice.capture;

import dev.ebb.pageservice.cache.Futures;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackBuilder;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.pageservice.snapshot.SnapshotView;
import dev.ebb.shared.bus.PageMessage.CaptureCommitted;
import dev.ebb.shared.bus.PageMessage.PutPages;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.PackRef;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
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

  /** What a capture works on. */
  record Identity(
      SnapshotId snapshot,
      BranchId branch,
      Generation generation,
      @Nullable SnapshotView base,
      String headManifestKey) {
    /** A template has no head. */
    boolean hasHead() {
      return !generation.equals(Generation.NONE);
    }
  }

  /** Where a capture stands. */
  private sealed interface State {
    record Open() implements State {}

    /** Everything is stored but the head, of which nobody knows. */
    record InDoubt(Prepared prepared) implements State {}

    record Committed(CaptureCommitted answer) implements State {}

    record Over(EbbException reason) implements State {}
  }

  /** What a commit stored before it changes the head. */
  private record Prepared(
      SnapshotView view, PackRef bootPack, byte[] bootContent, boolean closed, long bytes) {}

  private final Identity identity;
  private final ObjectStore store;
  private final BranchHeads heads;
  private final SnapshotReader reader;
  private final PageCodec codec;
  private final ExecutorService threads;
  private final PackWriter packs;
  private final CapturedBlocks blocks = new CapturedBlocks();
  private final BootPages boot = new BootPages();
  private final ReentrantLock lock = new ReentrantLock();
  private State state = new State.Open();
  private int pages;

  Capture(
      Identity identity,
      ObjectStore store,
      SnapshotReader reader,
      PageCodec codec,
      ExecutorService threads,
      PackWriter packs) {
    this.identity = identity;
    this.store = store;
    this.heads = new BranchHeads(store);
    this.reader = reader;
    this.codec = codec;
    this.threads = threads;
    this.packs = packs;
  }

  Identity identity() {
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
      } catch (EbbException.Unavailable | IllegalStateException e) {
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
          case State.InDoubt inDoubt -> changeHead(inDoubt.prepared());
          case State.Open open -> {
            Manifest manifest = ManifestCodec.decode(encoded);
            requireOwn(manifest);
            blocks.requireComplete(manifest, identity.base());
            yield changeHead(prepare(manifest, closed));
          }
        });
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
      packs.finish();
      SnapshotView plain = view(manifest, "");
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
      SnapshotView view = view(manifest, bootKey);
      // nothing refers to any of them yet: in whatever order they arrive
      CompletableFuture<?> bootWritten =
          CompletableFuture.runAsync(
              () -> {
                if (!bootKey.isEmpty()) {
                  store.put(bootKey, bootContent);
                }
              },
              threads);
      CompletableFuture<?> manifestWritten =
          CompletableFuture.runAsync(() -> store.put(view.key(), view.encoded()), threads);
      CompletableFuture.allOf(bootWritten, manifestWritten).handle((done, error) -> null).join();
      packs.await();
      Futures.await(bootWritten);
      Futures.await(manifestWritten);
      long bytes = packs.bytesWritten() + bootContent.length + view.encoded().length;
      return new Prepared(view, bootPack.ref(), bootContent, closed, bytes);
    } catch (EbbException.Invalid e) {
      throw e;
    } catch (EbbException | IllegalStateException e) {
      throw giveUp(e);
    }
  }

  /** The manifest as it will be stored: the caller's, with the packs. */
  private SnapshotView view(Manifest m, String bootPack) {
    List<PackRef> all = new ArrayList<>();
    SnapshotView base = identity.base();
    if (base != null) {
      all.addAll(base.manifest().packs());
    }
    all.addAll(packs.packs());
    var whole =
        new Manifest(
            m.snapshot(),
            m.branch(),
            m.generation(),
            m.postgresVersion(),
            m.systemIdentifier(),
            m.walSegmentBytes(),
            m.timeline(),
            m.redoLsn(),
            m.checkpointLsn(),
            m.endLsn(),
            m.clean(),
            m.nextIncarnation(),
            m.directories(),
            m.smallFiles(),
            m.files(),
            m.walPieces(),
            List.copyOf(all),
            bootPack,
            m.bootBlocks(),
            m.roles(),
            m.walOffsetHint());
    String key = BranchKeys.manifest(identity.branch(), identity.snapshot());
    return new SnapshotView(key, ManifestCodec.encode(whole), whole);
  }

  private CaptureCommitted changeHead(Prepared prepared) {
    Manifest manifest = prepared.view().manifest();
    if (identity.hasHead()) {
      try {
        heads.commitSnapshot(
            identity.branch(),
            identity.generation(),
            identity.headManifestKey(),
            prepared.view().key(),
            prepared.closed(),
            prepared.closed() ? manifest.endLsn() : Lsn.INVALID);
      } catch (EbbException.Fenced | EbbException.Conflict refused) {
        throw refusedBy(refused, prepared);
      } catch (EbbException.Unavailable unknown) {
        state = new State.InDoubt(prepared);
        throw unknown;
      }
    }
    reader.keep(prepared.view(), prepared.bootPack(), prepared.bootContent());
    var answer =
        new CaptureCommitted(prepared.view().key(), manifest.endLsn(), prepared.bytes(), pages);
    state = new State.Committed(answer);
    boot.clear(); // the answer is kept for a while, for repeated requests
    blocks.clear();
    return answer;
  }

  /** Deletes nothing that the head has, or may have had from an earlier attempt in doubt. */
  private EbbException refusedBy(EbbException refusal, Prepared prepared) {
    if (!(state instanceof State.InDoubt) && !headHas(prepared.view().key())) {
      return giveUp(refusal);
    }
    log.warn("snapshot {} is left in the store: its head was in doubt", prepared.view().key());
    state = new State.Over(refusal);
    return refusal;
  }

  private boolean headHas(String manifestKey) {
    try {
      return heads
          .read(identity.branch())
          .filter(v -> v.head().manifestKey().equals(manifestKey))
          .isPresent();
    } catch (EbbException e) {
      log.warn("the head of {} cannot be read", identity.branch(), e);
      return true;
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
    keys.add(BranchKeys.manifest(identity.branch(), identity.snapshot()));
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
