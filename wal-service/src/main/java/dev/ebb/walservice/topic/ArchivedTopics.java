package dev.ebb.walservice.topic;

import dev.ebb.shared.archive.ArchivedRecord;
import dev.ebb.shared.archive.LogArchive;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.RecordKind;
import dev.ebb.walservice.log.Term;
import java.time.Duration;
import java.util.function.Predicate;

/**
 * Topics whose beginnings are archived in the object store: a range is read from there as far as
 * its topic does not have it any more. Whoever reads notices nothing: the archive has the records
 * that the topic had, with their offsets.
 */
public final class ArchivedTopics implements LogTopics {
  private final LogTopics topics;
  private final ObjectStore store;

  public ArchivedTopics(LogTopics topics, ObjectStore store) {
    this.topics = topics;
    this.store = store;
  }

  /** Hands records over and remembers how far it got. */
  private static final class Reading implements Predicate<LogRecord.Stored> {
    private final Predicate<LogRecord.Stored> each;
    private long next;
    private boolean over;

    Reading(long from, Predicate<LogRecord.Stored> each) {
      this.next = from;
      this.each = each;
    }

    @Override
    public boolean test(LogRecord.Stored stored) {
      next = stored.offset() + 1;
      over = !each.test(stored);
      return !over;
    }
  }

  @Override
  public void read(
      BranchId branch, long from, long to, Predicate<LogRecord.Stored> each, Duration timeout) {
    var reading = new Reading(from, each);
    while (!reading.over && reading.next < to) {
      try {
        topics.read(branch, reading.next, to, reading, timeout);
        return;
      } catch (TrimmedException trimmed) {
        long begin = topics.beginOffset(branch, timeout);
        if (begin <= reading.next) {
          throw new EbbException.NotFound(
              "record " + reading.next + " of the log of " + branch + " is not there");
        }
        long stop = Math.min(begin, to);
        archive(branch, timeout).read(reading.next, stop, record -> reading.test(stored(record)));
        if (!reading.over) {
          reading.next = stop;
        }
      }
    }
  }

  private LogArchive archive(BranchId branch, Duration timeout) {
    return new LogArchive(store, branch, topics.identity(branch, timeout));
  }

  /** A record as the archive keeps it. */
  public static ArchivedRecord archived(LogRecord.Stored stored) {
    LogRecord record = stored.record();
    return new ArchivedRecord(
        stored.offset(),
        record.kind().tag(),
        record.term().generation().value(),
        record.term().writer(),
        record.lsn().value(),
        record.bytes());
  }

  private static LogRecord.Stored stored(ArchivedRecord archived) {
    return new LogRecord.Stored(
        archived.offset(),
        new LogRecord(
            kind(archived),
            new Term(new Generation(archived.generation()), archived.writer()),
            new Lsn(archived.lsn()),
            archived.bytes()));
  }

  private static RecordKind kind(ArchivedRecord archived) {
    return RecordKind.ofTag(archived.kind())
        .orElseThrow(() ->
            new EbbException.Corrupt(
                "archived record "
                    + archived.offset()
                    + " is of an unknown kind "
                    + archived.kind()));
  }

  @Override
  public void create(BranchId branch, Duration timeout) {
    topics.create(branch, timeout);
  }

  @Override
  public void requireSafe(Duration timeout) {
    topics.requireSafe(timeout);
  }

  @Override
  public String verify(BranchId branch, Duration timeout) {
    return topics.verify(branch, timeout);
  }

  @Override
  public void append(BranchId branch, LogRecord record, Appended appended) {
    topics.append(branch, record, appended);
  }

  @Override
  public long endOffset(BranchId branch, Duration timeout) {
    return topics.endOffset(branch, timeout);
  }

  @Override
  public long durableEndOffset(BranchId branch, Duration timeout) {
    return topics.durableEndOffset(branch, timeout);
  }

  @Override
  public long beginOffset(BranchId branch, Duration timeout) {
    return topics.beginOffset(branch, timeout);
  }

  @Override
  public void trim(BranchId branch, long before, Duration timeout) {
    topics.trim(branch, before, timeout);
  }

  @Override
  public String identity(BranchId branch, Duration timeout) {
    return topics.identity(branch, timeout);
  }

  @Override
  public void delete(BranchId branch, Duration timeout) {
    topics.delete(branch, timeout);
  }

  @Override
  public void close() {
    topics.close();
  }
}
