package dev.ebb.computeservice.pages;

import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.error.EbbException;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The snapshot that a compute reads what it does not have from: the newest that it committed, or
 * the one that it started from. A block that is absent now was never here, or was evicted: either
 * way it has not changed since the newest; of an evicted one an older snapshot may have older
 * content. A compaction moves the newest to another key. Thread-safe.
 */
public final class ReadSnapshot {
  private final Supplier<Optional<String>> newest;
  private final AtomicReference<String> manifestKey;

  /**
   * Begins with a snapshot.
   *
   * @param newest looks for the newest one; empty where there is none that this compute may use
   */
  public ReadSnapshot(String manifestKey, Supplier<Optional<String>> newest) {
    this.manifestKey = new AtomicReference<>(manifestKey);
    this.newest = newest;
  }

  /**
   * Of a branch's primary. What a newer generation committed is never read: it is ahead of what
   * this compute knows.
   */
  public static ReadSnapshot of(BranchHead head, BranchHeads heads) {
    return new ReadSnapshot(
        head.manifestKey(),
        () ->
            heads
                .read(head.branch())
                .map(BranchHeads.Versioned::head)
                .filter(now -> now.generation().equals(head.generation()) && !now.dropped())
                .map(BranchHead::manifestKey));
  }

  /** The manifest's key. */
  public String key() {
    return manifestKey.get();
  }

  /** A capture was committed. */
  public void advance(String committed) {
    manifestKey.set(committed);
  }

  /** Looks what the newest snapshot is by now: of a capture that failed it is not known. */
  public void refresh() {
    String before = manifestKey.get();
    // Where a capture was committed meanwhile, that is newer than what was looked up.
    newest.get().ifPresent(now -> manifestKey.compareAndSet(before, now));
  }

  /** Reads from the snapshot; where something of it is gone, once more from the newest. */
  public <T> T read(Function<String, T> reading) {
    String key = manifestKey.get();
    try {
      return reading.apply(key);
    } catch (EbbException.NotFound | EbbException.Corrupt gone) {
      refresh();
      String now = manifestKey.get();
      if (now.equals(key)) {
        throw gone;
      }
      return reading.apply(now);
    }
  }
}
