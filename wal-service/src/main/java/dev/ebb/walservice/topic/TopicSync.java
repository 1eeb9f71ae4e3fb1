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
   * Returns when all records of the topic that Kafka had acknowledged before the call are on disk.
   *
   * @param unsyncedFrom the first offset that may not be on disk yet
   * @throws GoneException where the topic was deleted
   */
  void sync(String topic, long unsyncedFrom) throws IOException;

  /** The topic does not exist any more. Says nothing about the disk. */
  final class GoneException extends IOException {
    private static final long serialVersionUID = 1L;

    public GoneException(String topic, IOException cause) {
      super("topic " + topic + " was deleted", cause);
    }
  }
}
