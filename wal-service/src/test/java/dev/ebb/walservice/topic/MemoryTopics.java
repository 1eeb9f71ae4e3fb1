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
  private volatile boolean mute;

  /** Acknowledges nothing from now on. */
  public void mute() {
    mute = true;
  }

  @Override
  public synchronized void create(BranchId branch, Duration timeout) {
    topics.putIfAbsent(branch, new ArrayList<>());
  }

  @Override
  public void verify(BranchId branch, Duration timeout) {
    topic(branch);
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
  public long durableEndOffset(BranchId branch, Duration timeout) {
    return endOffset(branch, timeout);
  }

  @Override
  public synchronized void delete(BranchId branch, Duration timeout) {
    topics.remove(branch);
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
