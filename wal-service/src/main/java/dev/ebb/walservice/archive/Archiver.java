package dev.ebb.walservice.archive;

import dev.ebb.shared.archive.ArchivedRecord;
import dev.ebb.shared.archive.LogArchive;
import dev.ebb.shared.bus.WalMessage.DurableLsn;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.RecordKind;
import dev.ebb.walservice.session.WalMetrics;
import dev.ebb.walservice.topic.ArchivedTopics;
import dev.ebb.walservice.topic.LogTopics;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies the durable part of a topic to the object store, as it is: fences and what they end
 * included, so that no reader sees a difference. Behind that the topic is trimmed, up to the record
 * from which the newest snapshot would be recovered. Two instances that do this for one branch at
 * the same time do no harm, nor does one that stops anywhere: objects with the same records, or
 * records that are in both places. Blocking; for one thread at a time.
 */
public final class Archiver {
  private static final Logger log = LoggerFactory.getLogger(Archiver.class);
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  /** Of one object, before compression. */
  private static final int OBJECT_BYTES = 16 << 20;

  private final LogTopics topics;
  private final ObjectStore store;
  private final BranchHeads heads;
  private final ArchiveLimits limits;
  private final WalMetrics metrics;
  private final Map<BranchId, Progress> known = new HashMap<>();

  public Archiver(LogTopics topics, ObjectStore store, ArchiveLimits limits, WalMetrics metrics) {
    this.topics = topics;
    this.store = store;
    this.heads = new BranchHeads(store);
    this.limits = limits;
    this.metrics = metrics;
  }

  /** How far a branch's log is archived and trimmed, as far as this instance knows. */
  private static final class Progress {
    final String topic;

    /** The topic's oldest record. */
    long begin;

    /** Behind the last archived record. */
    long archivedTo;

    /** Where the first WAL begins that is not archived; {@code INVALID} for unknown. */
    Lsn archivedLsn = Lsn.INVALID;

    /** When there was first something to archive; 0 for nothing. */
    long waitingSinceNanos;

    String manifestKey = "";

    Progress(String topic, long begin, long archivedTo) {
      this.topic = topic;
      this.begin = begin;
      this.archivedTo = archivedTo;
    }
  }

  /** Forgets branches whose logs are not held any more. */
  public void retain(Set<BranchId> branches) {
    known.keySet().retainAll(branches);
  }

  /**
   * Archives and trims a branch's log if there is enough of it.
   *
   * @param durable of the log, which this instance holds
   */
  public void look(BranchId branch, DurableLsn durable) {
    if (durable.offset() < 0) {
      return;
    }
    Progress progress = known.get(branch);
    if (progress == null) {
      progress = begin(branch);
      known.put(branch, progress);
    }
    if (isDue(branch, progress, durable)) {
      archive(branch, progress, durable.offset() + 1);
      progress.archivedLsn = durable.lsn();
      progress.waitingSinceNanos = 0;
    }
    if (progress.archivedTo > progress.begin) {
      trim(branch, progress);
    }
  }

  private Progress begin(BranchId branch) {
    String topic = topics.identity(branch, TIMEOUT);
    long begin = topics.beginOffset(branch, TIMEOUT);
    return new Progress(topic, begin, new LogArchive(store, branch, topic).coveredTo(begin));
  }

  private boolean isDue(BranchId branch, Progress progress, DurableLsn durable) {
    if (durable.offset() < progress.archivedTo) {
      return false;
    }
    if (!progress.archivedLsn.isValid()) {
      progress.archivedLsn = firstLsn(branch, progress.archivedTo, durable.offset() + 1);
    }
    if (!progress.archivedLsn.isValid() || !durable.lsn().isAfter(progress.archivedLsn)) {
      return false;
    }
    long now = System.nanoTime();
    if (progress.waitingSinceNanos == 0) {
      progress.waitingSinceNanos = now == 0 ? 1 : now;
    }
    return durable.lsn().minus(progress.archivedLsn) >= limits.walBytes()
        || now - progress.waitingSinceNanos >= limits.age().toNanos();
  }

  /** Where the WAL of some records begins; {@code INVALID} where there is none. */
  private Lsn firstLsn(BranchId branch, long from, long to) {
    var first = new Lsn[] {Lsn.INVALID};
    topics.read(
        branch,
        from,
        to,
        stored -> {
          if (stored.record().kind() != RecordKind.WAL) {
            return true;
          }
          first[0] = stored.record().lsn();
          return false;
        },
        TIMEOUT);
    return first[0];
  }

  private void archive(BranchId branch, Progress progress, long to) {
    var archive = new LogArchive(store, branch, progress.topic);
    while (progress.archivedTo < to) {
      List<ArchivedRecord> records = read(branch, progress.archivedTo, to);
      if (records.isEmpty()) {
        return; // what is durable here may not be shown to readers yet
      }
      int stored = archive.store(records);
      progress.archivedTo = records.getLast().offset() + 1;
      metrics.archived(records.stream().mapToLong(record -> record.bytes().length).sum(), stored);
    }
  }

  private List<ArchivedRecord> read(BranchId branch, long from, long to) {
    List<ArchivedRecord> records = new ArrayList<>();
    topics.read(
        branch,
        from,
        to,
        new java.util.function.Predicate<LogRecord.Stored>() {
          private long bytes;

          @Override
          public boolean test(LogRecord.Stored stored) {
            records.add(ArchivedTopics.archived(stored));
            bytes += stored.record().bytes().length;
            return bytes < OBJECT_BYTES;
          }
        },
        TIMEOUT);
    return records;
  }

  /** Only behind both the archive and what the newest snapshot needs. */
  private void trim(BranchId branch, Progress progress) {
    BranchHead head =
        heads
            .read(branch)
            .map(BranchHeads.Versioned::head)
            .filter(now -> !now.dropped())
            .orElse(null);
    if (head == null || head.manifestKey().equals(progress.manifestKey)) {
      return;
    }
    Manifest newest = manifest(head.manifestKey());
    if (newest == null) {
      return; // it has moved on
    }
    // A child's first snapshots are its parent's, whose offsets are those of another topic.
    boolean own = newest.branch().equals(branch);
    long needed = own ? newest.walOffsetHint() : -1;
    if (needed > progress.archivedTo) {
      return; // archived one of these days
    }
    if (needed > progress.begin) {
      topics.trim(branch, needed, TIMEOUT);
      progress.begin = needed;
      metrics.trimmed();
      log.debug("branch {}: the log's topic begins at record {} now", branch, needed);
    }
    progress.manifestKey = head.manifestKey();
  }

  private @Nullable Manifest manifest(String key) {
    Optional<ObjectStore.Stored> stored = store.get(key);
    return stored.map(object -> ManifestCodec.decode(object.content())).orElse(null);
  }
}
