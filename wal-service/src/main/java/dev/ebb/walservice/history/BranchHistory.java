package dev.ebb.walservice.history;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.LogFold;
import dev.ebb.walservice.record.WalPage;
import dev.ebb.walservice.record.WalSource;
import dev.ebb.walservice.topic.LogTopics;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A branch's history from some position on, which goes on reading its topic when asked. */
public final class BranchHistory implements AutoCloseable {
  private final FileHistory file;
  private final LogFold fold;
  private final long firstOffset;
  private boolean broken;

  /**
   * An empty history.
   *
   * @param from bytes from this position's page on are kept
   * @param hint an offset of a record known to be valid, to read from, or -1 for the beginning
   */
  public BranchHistory(Path directory, Lsn from, long hint) {
    this.file = new FileHistory(directory, WalPage.startOf(from));
    this.fold = hint > 0 ? LogFold.fromValidRecord(file) : LogFold.fromBeginning(file);
    this.firstOffset = Math.max(hint, 0);
  }

  /** What the topic says; for the one thread that fills it. */
  public LogFold fold() {
    return fold;
  }

  /** Whether bytes from {@code from} on can be had here. */
  synchronized boolean reachesBackTo(Lsn from) {
    return !broken
        && !from.isBefore(file.keptFrom())
        && (firstOffset == 0 || !from.isBefore(fold.base()));
  }

  /**
   * WAL of [{@code from}, {@code to}) as the topic has it now, at most {@code maxBytes}; empty
   * where the history has nothing at {@code from}.
   */
  synchronized byte[] read(
      LogTopics topics, BranchId branch, Lsn from, Lsn to, int maxBytes, Duration timeout) {
    catchUp(topics, branch, timeout);
    WalSource source = fold.source();
    if (fold.isEmpty() || from.isBefore(source.first()) || !from.isBefore(source.end())) {
      return new byte[0];
    }
    Lsn stop = to.isBefore(source.end()) ? to : source.end();
    var bytes = new byte[Math.clamp(stop.minus(from), 0, maxBytes)];
    source.read(from, bytes, 0, bytes.length);
    return bytes;
  }

  /**
   * Hands the history, as the topic has it now, to {@code action}; null where it is empty. It must
   * not be kept.
   */
  public synchronized <T> T use(
      LogTopics topics,
      BranchId branch,
      Duration timeout,
      Function<@Nullable WalSource, T> action) {
    catchUp(topics, branch, timeout);
    return action.apply(fold.isEmpty() ? null : fold.source());
  }

  /**
   * The same with no more of the history than what no failure takes away any more: for those who
   * put it elsewhere.
   */
  public synchronized <T> T useDurable(
      LogTopics topics,
      BranchId branch,
      Duration timeout,
      Function<@Nullable WalSource, T> action) {
    catchUp(topics, branch, topics.durableEndOffset(branch, timeout), timeout);
    return action.apply(fold.isEmpty() ? null : fold.source());
  }

  /** Copies bytes that were read from the topic before. */
  synchronized void read(Lsn at, byte[] target, int offset, int length) {
    fold.source().read(at, target, offset, length);
  }

  private void catchUp(LogTopics topics, BranchId branch, Duration timeout) {
    catchUp(topics, branch, topics.endOffset(branch, timeout), timeout);
  }

  private void catchUp(LogTopics topics, BranchId branch, long end, Duration timeout) {
    long next = Math.max(fold.lastOffset() + 1, firstOffset);
    if (next < end) {
      broken = true;
      topics.read(
          branch,
          next,
          end,
          stored -> {
            fold.accept(stored);
            return true;
          },
          timeout);
      broken = false;
    }
  }

  @Override
  public synchronized void close() {
    broken = true;
    file.close();
  }

  /** A range that cannot be had. */
  static EbbException.NotFound missing(BranchId branch, Lsn from) {
    return new EbbException.NotFound("the log of " + branch + " has nothing at " + from);
  }
}
