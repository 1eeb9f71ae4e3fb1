package dev.ebb.computeservice.lifecycle;

import dev.ebb.shared.model.BranchId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The next starts of the branches that were suspended here last, laid out while nobody waits for
 * them. Each costs about 3 MB of disk and no processor time; all of it can be lost, and is given up
 * where it does not fit any more. Thread-safe.
 *
 * @param <S> what is laid out
 */
final class PreparedStarts<S extends PreparedStarts.Laid> implements AutoCloseable {
  /** Something that is laid out. */
  interface Laid {
    /** Deletes it: it is not going to be used. */
    void delete();
  }

  private static final Logger log = LoggerFactory.getLogger(PreparedStarts.class);

  private final int capacity;

  /** By branch, the one prepared first first; null results are starts that could not be laid. */
  private final LinkedHashMap<BranchId, CompletableFuture<@Nullable S>> starts =
      new LinkedHashMap<>();

  private boolean closed;

  /**
   * None yet.
   *
   * @param capacity how many are kept; 0 for none
   */
  PreparedStarts(int capacity) {
    this.capacity = capacity;
  }

  /** Has a branch's next start laid out, on a thread of its own; instead of an earlier one. */
  void prepare(BranchId branch, Supplier<@Nullable S> lay) {
    var preparing = new CompletableFuture<@Nullable S>();
    List<CompletableFuture<@Nullable S>> outdated = new ArrayList<>();
    synchronized (starts) {
      if (closed || capacity == 0) {
        return;
      }
      var earlier = starts.putLast(branch, preparing);
      if (earlier != null) {
        outdated.add(earlier);
      }
      while (starts.size() > capacity) {
        Map.Entry<BranchId, CompletableFuture<@Nullable S>> first = starts.pollFirstEntry();
        if (first != null) {
          outdated.add(first.getValue());
        }
      }
    }
    outdated.forEach(this::discard);
    Thread.ofVirtual()
        .name("prepare-" + branch)
        .start(() -> {
          try {
            preparing.complete(lay.get());
          } catch (RuntimeException e) {
            log.debug("the next start of branch {} could not be prepared", branch, e);
            preparing.complete(null);
          }
        });
  }

  /** Takes a branch's start out; waits for one that is being laid out. Null where there is none. */
  @Nullable S take(BranchId branch) {
    CompletableFuture<@Nullable S> start;
    synchronized (starts) {
      start = starts.remove(branch);
    }
    return start == null ? null : join(start);
  }

  /** Deletes a branch's start, where there is one. */
  void forget(BranchId branch) {
    synchronized (starts) {
      var start = starts.remove(branch);
      if (start != null) {
        discard(start);
      }
    }
  }

  /** Deletes all and takes no more; returns when they are gone. */
  @Override
  public void close() {
    List<CompletableFuture<@Nullable S>> all;
    synchronized (starts) {
      closed = true;
      all = List.copyOf(starts.values());
      starts.clear();
    }
    for (var start : all) {
      S laid = join(start);
      if (laid != null) {
        laid.delete();
      }
    }
  }

  private void discard(CompletableFuture<@Nullable S> start) {
    var _ =
        start.thenAcceptAsync(
            laid -> {
              if (laid != null) {
                laid.delete();
              }
            },
            task -> Thread.ofVirtual().start(task));
  }

  private @Nullable S join(CompletableFuture<@Nullable S> start) {
    try {
      return start.join();
    } catch (CompletionException e) {
      return null;
    }
  }
}
