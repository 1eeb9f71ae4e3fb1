package dev.ebb.walservice.broker;

import dev.ebb.walservice.topic.TopicSync;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Syncs the record files of a partition of the broker in this process. A segment's file is named
 * after its first offset; an acknowledged record was written to it with {@code write}, so that
 * syncing the file through another descriptor is enough. Kafka starts from its recovery point after
 * a crash: it checks every batch behind it and makes the indexes anew.
 *
 * <p>A record counts as on disk only where everything before it is, too: whoever opens a log reads
 * records that nobody was ever told of, and builds on them. So each sync begins where the last one
 * that succeeded ended, whatever failed in between; the first one of a process begins at Kafka's
 * recovery point, for what an earlier process wrote.
 */
final class SegmentSync implements TopicSync {
  private static final Logger log = LoggerFactory.getLogger(SegmentSync.class);
  private static final String SUFFIX = ".log";

  /** Lines of topic, partition and offset behind two of a head: Kafka's OffsetCheckpointFile. */
  private static final String RECOVERY_POINTS = "recovery-point-offset-checkpoint";

  /** Writes a file's content through to the disk; a test replaces it. */
  interface Forcing {
    void force(Path file, FileChannel channel) throws IOException;
  }

  private final Path logs;
  private final Forcing forcing;

  /** Files whose directory entry is known to be on disk. */
  private final Set<Path> entered = ConcurrentHashMap.newKeySet();

  /** By topic: every record below this offset is on disk. */
  private final Map<String, Long> onDiskBelow = new ConcurrentHashMap<>();

  SegmentSync(Path logs) {
    this(logs, (file, channel) -> channel.force(false));
  }

  SegmentSync(Path logs, Forcing forcing) {
    this.logs = logs;
    this.forcing = forcing;
  }

  @Override
  public void sync(String topic, long unsyncedFrom) throws IOException {
    Path partition = logs.resolve(topic + "-0");
    try {
      sync(topic, partition, unsyncedFrom);
    } catch (NoSuchFileException e) {
      // A topic that is deleted is renamed first, with all that is in it.
      if (Files.exists(partition)) {
        throw e;
      }
      entered.removeIf(segment -> segment.startsWith(partition));
      onDiskBelow.remove(topic);
      throw new GoneException(topic, e);
    }
  }

  private void sync(String topic, Path partition, long unsyncedFrom) throws IOException {
    Long known = onDiskBelow.get(topic);
    long from = Math.min(known == null ? recoveryPoint(topic) : known, unsyncedFrom);
    Collection<Path> segments = segments(partition, from, unsyncedFrom);
    for (Path segment : segments) {
      force(segment, StandardOpenOption.WRITE);
    }
    if (!entered.containsAll(segments)) {
      force(partition, StandardOpenOption.READ);
      force(logs, StandardOpenOption.READ);
      entered.addAll(segments);
    }
    onDiskBelow.merge(topic, unsyncedFrom + 1, Math::max);
  }

  /** The files with the records from {@code from} on; the one with {@code needed} is there. */
  private static Collection<Path> segments(Path partition, long from, long needed)
      throws IOException {
    var segments = new TreeMap<Long, Path>();
    try (Stream<Path> files = Files.list(partition)) {
      files
          .filter(file -> file.getFileName().toString().endsWith(SUFFIX))
          .forEach(file -> segments.put(firstOffset(file), file));
    }
    if (segments.floorKey(needed) == null) {
      throw new NoSuchFileException(partition + " has no segment with record " + needed);
    }
    Long first = segments.floorKey(from);
    return first == null ? segments.values() : segments.tailMap(first).values();
  }

  /** Below it Kafka has flushed everything; 0 where that is not known. */
  private long recoveryPoint(String topic) {
    Path file = logs.resolve(RECOVERY_POINTS);
    try {
      for (String line : Files.readAllLines(file)) {
        String[] words = line.split(" ", -1);
        if (words.length == 3 && words[0].equals(topic) && words[1].equals("0")) {
          return Long.parseLong(words[2]);
        }
      }
    } catch (IOException | NumberFormatException e) {
      log.debug("{} cannot be read: all of {} is synced", file, topic, e);
    }
    return 0;
  }

  /**
   * Only what goes wrong in the forcing itself says anything about the disk. An interrupt would
   * close the channel and hide how that went; it waits until afterwards.
   */
  private void force(Path file, StandardOpenOption option) throws IOException {
    boolean interrupted = Thread.interrupted();
    try (FileChannel channel = FileChannel.open(file, option)) {
      try {
        forcing.force(file, channel);
      } catch (IOException e) {
        throw new DiskFailedException(file + " could not be written through to disk", e);
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static long firstOffset(Path segment) {
    String name = segment.getFileName().toString();
    return Long.parseLong(name.substring(0, name.length() - SUFFIX.length()));
  }
}
