package dev.ebb.shared.archive;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.ObjectStore;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * The archived part of a branch's topic. Objects are never changed; several may hold the same
 * records, which are the same then. Blocking.
 */
public final class LogArchive {
  private final ObjectStore store;
  private final BranchId branch;
  private final String topic;

  /**
   * That of one topic.
   *
   * @param topic as in {@link ArchiveKey}
   */
  public LogArchive(ObjectStore store, BranchId branch, String topic) {
    this.store = store;
    this.branch = branch;
    this.topic = topic;
  }

  /** Stores records that follow one another, at least one; returns the object's size. */
  public int store(List<ArchivedRecord> records) {
    var key =
        new ArchiveKey(branch, topic, records.getFirst().offset(), records.getLast().offset() + 1);
    byte[] content = ArchiveCodec.encode(records);
    // What is there has the same records, from an attempt that was not heard of.
    var _ = store.putIfAbsent(key.toString(), content);
    return content.length;
  }

  /** Behind the last record up to which all from {@code from} on are there. */
  public long coveredTo(long from) {
    long to = from;
    for (ArchiveKey key : keys()) {
      if (key.from() <= to && key.to() > to) {
        to = key.to();
      }
    }
    return to;
  }

  /**
   * Reads the records of [{@code from}, {@code to}), in order. {@code NotFound} where one of them
   * is not there.
   *
   * @param each takes a record; false ends the read
   */
  public void read(long from, long to, Predicate<ArchivedRecord> each) {
    long next = from;
    for (ArchiveKey key : keys()) {
      if (next >= to || key.from() > next) {
        break;
      }
      if (key.to() > next) {
        if (!read(key, next, to, each)) {
          return;
        }
        next = key.to();
      }
    }
    if (next < to) {
      throw new EbbException.NotFound(
          "record " + next + " of the log of " + branch + " is not there any more");
    }
  }

  private boolean read(ArchiveKey key, long from, long to, Predicate<ArchivedRecord> each) {
    String name = key.toString();
    byte[] content =
        store
            .get(name)
            .orElseThrow(() -> new EbbException.NotFound(name + " is not there any more"))
            .content();
    return ArchiveCodec.decode(
        name, content, from, record -> record.offset() < to && each.test(record));
  }

  private List<ArchiveKey> keys() {
    return store.list(ArchiveKey.prefix(branch, topic)).stream()
        .map(object -> ArchiveKey.parse(object.key()))
        .flatMap(Optional::stream)
        .toList();
  }
}
