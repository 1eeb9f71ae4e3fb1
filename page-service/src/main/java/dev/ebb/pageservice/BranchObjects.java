package dev.ebb.pageservice;

import dev.ebb.pageservice.cache.Futures;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.ObjectStore;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Semaphore;

/** Deletes a dropped branch's objects. Blocking. */
final class BranchObjects {
  private static final int DELETES_AT_ONCE = 16;

  private final ObjectStore store;
  private final ExecutorService threads;

  BranchObjects(ObjectStore store, ExecutorService threads) {
    this.store = store;
    this.threads = threads;
  }

  /** {@code Conflict} for a branch that has a head which is no tombstone. */
  void requireDropped(BranchId branch) {
    boolean alive =
        new BranchHeads(store).read(branch).filter(v -> !v.head().dropped()).isPresent();
    if (alive) {
      throw new EbbException.Conflict("branch " + branch + " is not dropped: drop it first");
    }
  }

  /** The tombstone goes last: as long as anything is left, nobody can commit there. */
  void deleteAll(BranchId branch) {
    String head = BranchKeys.head(branch);
    var room = new Semaphore(DELETES_AT_ONCE);
    List<CompletableFuture<Void>> deletes =
        store.list(BranchKeys.prefix(branch)).stream()
            .map(ObjectStore.Listed::key)
            .filter(key -> !key.equals(head))
            .map(key -> CompletableFuture.runAsync(() -> delete(key, room), threads))
            .toList();
    deletes.forEach(Futures::await);
    store.delete(head);
  }

  private void delete(String key, Semaphore room) {
    room.acquireUninterruptibly();
    try {
      store.delete(key);
    } finally {
      room.release();
    }
  }
}
