package dev.ebb.walservice.topic;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.walservice.log.LogRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** Topics in memory, acknowledged at once unless told otherwise. */
public final class MemoryTopics implements LogTopics {
  private final Map<BranchId, List<LogRecord.Stored>> topics = new HashMap<>();
  private final Map<BranchId, Long> begins = new HashMap<>();
  private final Map<BranchId, String> identities = new HashMap<>();
  private final Map<BranchId, Long> durableEnds = new HashMap<>();
  private volatile boolean mute;

  /** Acknowledges nothing from now on. */
  public void mute() {
    mute = true;
  }

  /** What is behind can be read and is not on disk. */
  public synchronized void durableTo(BranchId branch, long end) {
    durableEnds.put(branch, end);
  }

  /** Forgets what it acknowledged, from an offset on. */
  public synchronized void lose(BranchId branch, int from) {
    List<LogRecord.Stored> topic = topic(branch);
    topic.subList(from, topic.size()).clear();
  }

  @Override
  public synchronized void create(BranchId branch, Duration timeout) {
    if (topics.putIfAbsent(branch, new ArrayList<>()) == null) {
      identities.put(branch, BranchId.random().toString());
    }
  }

  @Override
  public void requireSafe(Duration timeout) {}

  @Override
  public String verify(BranchId branch, Duration timeout) {
    return identity(branch, timeout);
  }

  @Override
  public void append(BranchId branch, LogRecord record, Appended appended) {
    long offset;
    try {
      synchronized (this) {
        List<LogRecord.Stored> topic = topic(branch);
        offset = topic.size();
        topic.add(new LogRecord.Stored(offset, record));
      }
    } catch (EbbException e) {
      appended.done(-1, e);
      return;
    }
    if (!mute) {
      appended.done(offset, null);
    }
  }

  @Override
  public void read(
      BranchId branch, long from, long to, Predicate<LogRecord.Stored> each, Duration timeout) {
    List<LogRecord.Stored> all;
    synchronized (this) {
      all = List.copyOf(topic(branch));
      if (from < beginOffset(branch, timeout)) {
        throw new TrimmedException("the topic of " + branch + " does not have record " + from);
      }
    }
    for (LogRecord.Stored stored : all) {
      if (stored.offset() >= from && stored.offset() < to && !each.test(stored)) {
        return;
      }
    }
  }

  @Override
  public synchronized long endOffset(BranchId branch, Duration timeout) {
    return topic(branch).size();
  }

  @Override
  public synchronized long durableEndOffset(BranchId branch, Duration timeout) {
    return durableEnds.getOrDefault(branch, endOffset(branch, timeout));
  }

  @Override
  public synchronized void delete(BranchId branch, Duration timeout) {
    topics.remove(branch);
    begins.remove(branch);
  }

  @Override
  public synchronized long beginOffset(BranchId branch, Duration timeout) {
    topic(branch);
    return begins.getOrDefault(branch, 0L);
  }

  @Override
  public synchronized void trim(BranchId branch, long before, Duration timeout) {
    topic(branch);
    begins.merge(branch, before, Math::max);
  }

  @Override
  public synchronized String identity(BranchId branch, Duration timeout) {
    topic(branch);
    return java.util.Objects.requireNonNull(identities.get(branch));
  }

  @Override
  public void close() {}

  private synchronized List<LogRecord.Stored> topic(BranchId branch) {
    List<LogRecord.Stored> topic = topics.get(branch);
    if (topic == null) {
      throw new EbbException.NotFound("no topic for " + branch);
    }
    return topic;
  }
}
