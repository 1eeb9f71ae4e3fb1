package dev.ebb.walservice.history;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.topic.LogTopics;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The histories that were read lately, so that the reads of one recovery read the topic once. So
 * many are kept, for so long after their last use.
 */
public final class Histories implements AutoCloseable {
  private static final int MAX_KEPT = 8;
  private static final Duration KEPT_FOR = Duration.ofMinutes(1);

  private final LogTopics topics;
  private final KnownRecords known;
  private final Path directory;
  private final Clock clock;
  private final Map<BranchId, Kept> kept = new LinkedHashMap<>(16, 0.75f, true);

  private record Kept(BranchHistory history, Instant lastUse) {}

  public Histories(LogTopics topics, KnownRecords known, Path directory, Clock clock) {
    this.topics = topics;
    this.known = known;
    this.directory = directory;
    this.clock = clock;
  }

  /** An empty history, which the caller fills and then keeps here or closes. */
  public BranchHistory empty(Lsn from, long hint) {
    return new BranchHistory(directory, from, hint);
  }

  /** Keeps a history for reads to come. */
  public void keep(BranchId branch, BranchHistory history) {
    Kept before;
    synchronized (kept) {
      before = kept.put(branch, new Kept(history, clock.instant()));
    }
    if (before != null && before.history() != history) {
      before.history().close();
    }
    sweep();
  }

  /** WAL as {@code BranchHistory.read} has it. Blocks. */
  public byte[] read(BranchId branch, Lsn from, Lsn to, int maxBytes, Duration timeout) {
    BranchHistory history = find(branch, from);
    if (history == null) {
      history = anew(branch, from);
    }
    boolean read = false;
    try {
      byte[] bytes = history.read(topics, branch, from, to, maxBytes, timeout);
      read = true;
      return bytes;
    } finally {
      if (read) {
        keep(branch, history);
      } else {
        forget(branch);
        history.close();
      }
    }
  }

  /** One that begins where the newest snapshot does, if that is far enough, else at the start. */
  private BranchHistory anew(BranchId branch, Lsn from) {
    long hint =
        known
            .newest(branch)
            .filter(newest -> !from.isBefore(newest.from()))
            .map(KnownRecords.Known::offset)
            .orElse(-1L);
    return empty(from, hint);
  }

  private @Nullable BranchHistory find(BranchId branch, Lsn from) {
    Kept found;
    synchronized (kept) {
      found = kept.get(branch);
    }
    return found != null && found.history().reachesBackTo(from) ? found.history() : null;
  }

  /** Drops what is kept of a branch. */
  public void forget(BranchId branch) {
    Kept gone;
    synchronized (kept) {
      gone = kept.remove(branch);
    }
    if (gone != null) {
      gone.history().close();
    }
  }

  /** Drops what was not used for long, and the oldest where there are too many. */
  public void sweep() {
    Instant limit = clock.instant().minus(KEPT_FOR);
    synchronized (kept) {
      for (Iterator<Kept> it = kept.values().iterator(); it.hasNext(); ) {
        Kept oldest = it.next();
        if (kept.size() <= MAX_KEPT && oldest.lastUse().isAfter(limit)) {
          break;
        }
        it.remove();
        oldest.history().close();
      }
    }
  }

  @Override
  public void close() {
    synchronized (kept) {
      kept.values().forEach(k -> k.history().close());
      kept.clear();
    }
  }
}
