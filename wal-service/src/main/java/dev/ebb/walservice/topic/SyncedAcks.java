package dev.ebb.walservice.topic;

import dev.ebb.shared.error.EbbException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Holds acknowledgements back until their records are on disk. One sync of a topic at a time, by
 * the thread that found none under way: what others append meanwhile shares its next one.
 */
final class SyncedAcks {
  private static final Logger log = LoggerFactory.getLogger(SyncedAcks.class);

  private record Ack(long offset, LogTopics.Appended appended) {}

  private final TopicSync sync;

  /** What waits, by topic; a topic is in here for as long as a thread syncs it. */
  private final Map<String, List<Ack>> waiting = new HashMap<>();

  /**
   * The disk's first failure. It stays: the kernel may have dropped what it could not write, and a
   * later sync says nothing about it.
   */
  private volatile TopicSync.@Nullable DiskFailedException failure;

  SyncedAcks(TopicSync sync) {
    this.sync = sync;
  }

  /** Kafka acknowledged a record. Waits for the disk, unless another thread does that. */
  void acknowledged(String topic, long offset, LogTopics.Appended appended) {
    synchronized (waiting) {
      List<Ack> present = waiting.get(topic);
      if (present != null) {
        present.add(new Ack(offset, appended));
        return;
      }
      List<Ack> first = new ArrayList<>();
      first.add(new Ack(offset, appended));
      waiting.put(topic, first);
    }
    syncUntilNoneWaits(topic);
  }

  /** Waits until all is on disk up to a record that Kafka acknowledged some time ago. */
  void flush(String topic, long offset) {
    TopicSync.DiskFailedException failed = failure;
    if (failed != null) {
      throw new EbbException.Unavailable("Kafka's disk failed", failed);
    }
    try {
      sync.sync(topic, offset, offset);
    } catch (TopicSync.GoneException e) {
      throw new EbbException.NotFound("topic " + topic + " was deleted");
    } catch (TopicSync.DiskFailedException e) {
      log.error("Kafka's disk failed; nothing is acknowledged any more", e);
      failure = e;
      throw new EbbException.Unavailable("Kafka's disk failed", e);
    } catch (IOException e) {
      throw new EbbException.Unavailable("topic " + topic + " could not be synced", e);
    }
  }

  private void syncUntilNoneWaits(String topic) {
    while (true) {
      List<Ack> acks;
      synchronized (waiting) {
        acks = waiting.getOrDefault(topic, List.of());
        if (acks.isEmpty()) {
          waiting.remove(topic);
          return;
        }
        waiting.put(topic, new ArrayList<>());
      }
      Exception error = failure == null ? syncOnce(topic, acks) : failure;
      for (Ack ack : acks) {
        tell(ack, error);
      }
    }
  }

  /** Whoever fails to listen must not keep the others from hearing. */
  private static void tell(Ack ack, @Nullable Exception error) {
    try {
      ack.appended().done(error == null ? ack.offset() : -1, error);
    } catch (RuntimeException | Error e) {
      log.error("an acknowledgement was not taken", e);
    }
  }

  private @Nullable Exception syncOnce(String topic, List<Ack> acks) {
    long from = Long.MAX_VALUE;
    long to = -1;
    for (Ack ack : acks) {
      from = Math.min(from, ack.offset());
      to = Math.max(to, ack.offset());
    }
    try {
      sync.sync(topic, from, to);
      return null;
    } catch (TopicSync.GoneException e) {
      log.debug("{} was deleted before all of it was on disk", topic, e);
      return e; // of this topic alone: the disk did not fail
    } catch (TopicSync.DiskFailedException e) {
      log.error("Kafka's disk failed; nothing is acknowledged any more", e);
      failure = e;
      return e;
    } catch (IOException | RuntimeException e) {
      // It was not tried: of these records alone. Whoever waits must hear of it.
      log.error("{} could not be synced", topic, e);
      return e;
    } catch (Error e) {
      log.error("{} could not be synced", topic, e);
      return new IOException(e);
    }
  }
}
