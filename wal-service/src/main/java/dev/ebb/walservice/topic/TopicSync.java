package dev.ebb.walservice.topic;

import java.io.IOException;

/**
 * Writes a topic through to the disk of a broker that runs on this machine.
 *
 * <p>Kafka's own {@code flush.messages=1} does it too, but syncs both index files of the segment
 * each time as well, three waits for the disk in place of one, and holds the partition's lock
 * meanwhile. Indexes are made anew after a crash; only the records need to be on disk.
 */
public interface TopicSync {

  /**
   * Returns when all records of the topic that Kafka had acknowledged before the call are on disk,
   * and all records before them.
   *
   * @param unsyncedFrom the lowest offset of those that were acknowledged since the last call
   * @throws GoneException where the topic was deleted
   * @throws DiskFailedException where the disk did not take what was written: nothing may count as
   *     on disk any more
   * @throws IOException where it could not be tried: says nothing about the disk, and a later call
   *     covers these records again
   */
  void sync(String topic, long unsyncedFrom) throws IOException;

  /**
   * The disk refused, or it is not known whether it did. The kernel may have dropped what it could
   * not write and tells of that once only, so that a later success means nothing.
   */
  final class DiskFailedException extends IOException {
    private static final long serialVersionUID = 1L;

    public DiskFailedException(String message, IOException cause) {
      super(message, cause);
    }
  }

  /** The topic does not exist any more. Says nothing about the disk. */
  final class GoneException extends IOException {
    private static final long serialVersionUID = 1L;

    public GoneException(String topic, IOException cause) {
      super("topic " + topic + " was deleted", cause);
    }
  }
}
