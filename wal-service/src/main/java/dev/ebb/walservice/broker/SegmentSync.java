package dev.ebb.walservice.broker;

import dev.ebb.walservice.topic.TopicSync;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * Syncs the record files of a partition of the broker in this process. A segment's file is named
 * after its first offset; an acknowledged record was written to it with {@code write}, so that
 * syncing the file through another descriptor is enough. Kafka starts from its recovery point after
 * a crash: it checks every batch behind it and makes the indexes anew.
 */
final class SegmentSync implements TopicSync {
  private static final String SUFFIX = ".log";

  private final Path logs;

  /** Files whose directory entry is known to be on disk. */
  private final Set<Path> entered = ConcurrentHashMap.newKeySet();

  SegmentSync(Path logs) {
    this.logs = logs;
  }

  @Override
  public void sync(String topic, long unsyncedFrom) throws IOException {
    Path partition = logs.resolve(topic + "-0");
    try {
      sync(partition, unsyncedFrom);
    } catch (NoSuchFileException e) {
      // A topic that is deleted is renamed first, with all that is in it.
      if (Files.exists(partition)) {
        throw e;
      }
      entered.removeIf(segment -> segment.startsWith(partition));
      throw new GoneException(topic, e);
    }
  }

  private void sync(Path partition, long unsyncedFrom) throws IOException {
    var segments = new TreeMap<Long, Path>();
    try (Stream<Path> files = Files.list(partition)) {
      files
          .filter(file -> file.getFileName().toString().endsWith(SUFFIX))
          .forEach(file -> segments.put(firstOffset(file), file));
    }
    Long first = segments.floorKey(unsyncedFrom);
    if (first == null) {
      throw new NoSuchFileException(partition + " has no segment with record " + unsyncedFrom);
    }
    boolean newEntry = false;
    for (Path segment : segments.tailMap(first).values()) {
      force(segment, StandardOpenOption.WRITE);
      newEntry |= entered.add(segment);
    }
    if (newEntry) {
      force(partition, StandardOpenOption.READ);
      force(logs, StandardOpenOption.READ);
    }
  }

  private static void force(Path file, StandardOpenOption option) throws IOException {
    try (FileChannel channel = FileChannel.open(file, option)) {
      channel.force(false);
    }
  }

  private static long firstOffset(Path segment) {
    String name = segment.getFileName().toString();
    return Long.parseLong(name.substring(0, name.length() - SUFFIX.length()));
  }
}
