package dev.ebb.walservice.broker;

import dev.ebb.walservice.topic.TopicSync;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
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
 *
 * <p>The newest segment of the topics that were synced last is kept open: to list the partition and
 * to open the file takes longer than to write it through.
 */
final class SegmentSync implements TopicSync {
  private static final Logger log = LoggerFactory.getLogger(SegmentSync.class);
  private static final String SUFFIX = ".log";
  private static final int OFFSET_DIGITS = 20;

  /** Lines of topic, partition and offset behind two of a head: Kafka's OffsetCheckpointFile. */
  private static final String RECOVERY_POINTS = "recovery-point-offset-checkpoint";

  private static final int MAX_OPEN = 64;

  /** With more records to look at than that, listing the partition is no slower. */
  private static final long MAX_LOOKED_AT = 64;

  /** The segment that began with record {@code base}, open. */
  private record Newest(long base, Path file, FileChannel channel) {}

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

  /**
   * Kept open, by topic, the one used longest ago first. In here while nobody uses it: who syncs
   * takes it out.
   */
  private final LinkedHashMap<String, Newest> open = new LinkedHashMap<>();

  SegmentSync(Path logs) {
    this(logs, (file, channel) -> channel.force(false));
  }

  SegmentSync(Path logs, Forcing forcing) {
    this.logs = logs;
    this.forcing = forcing;
  }

  @Override
  public void sync(String topic, long unsyncedFrom, long unsyncedTo) throws IOException {
    Path partition = logs.resolve(topic + "-0");
    try {
      Long known = onDiskBelow.get(topic);
      Newest newest = take(topic);
      if (known == null
          || newest == null
          || unsyncedFrom < known
          || !isAllIn(newest, partition, known, unsyncedTo)) {
        close(newest);
        long from = known == null ? recoveryPoint(topic) : known;
        newest = syncListed(partition, Math.min(from, unsyncedFrom), unsyncedFrom);
      } else {
        forceOrClose(newest);
      }
      onDiskBelow.merge(topic, unsyncedTo + 1, Math::max);
      keep(topic, newest);
    } catch (NoSuchFileException e) {
      // A topic that is deleted is renamed first, with all that is in it.
      if (Files.exists(partition)) {
        throw e;
      }
      drop(topic);
      throw new GoneException(topic, e);
    }
  }

  /** Drops what is known of a topic, and kept open; a further sync of it begins anew. */
  void forget(String topic) {
    close(take(topic));
    drop(topic);
  }

  private void drop(String topic) {
    Path partition = logs.resolve(topic + "-0");
    entered.removeIf(segment -> segment.startsWith(partition));
    onDiskBelow.remove(topic);
  }

  /**
   * Whether no segment was begun with one of the records [{@code from}, {@code to}]: a segment is
   * named after its first record, which is the next one at the time when it is begun.
   */
  private static boolean isAllIn(Newest newest, Path partition, long from, long to)
      throws IOException {
    if (from < newest.base() || to - from >= MAX_LOOKED_AT || !exists(newest.file())) {
      return false;
    }
    for (long offset = Math.max(from, newest.base() + 1); offset <= to; offset++) {
      if (exists(partition.resolve(fileName(offset)))) {
        return false;
      }
    }
    return true;
  }

  /** Asked for each commit: {@code Files.exists} makes an exception, with its stack, of a "no". */
  private static boolean exists(Path file) throws IOException {
    return file.getFileSystem().provider().readAttributesIfExists(file, BasicFileAttributes.class)
        != null;
  }

  /** Syncs every segment with records from {@code from} on, and gives the newest one, open. */
  private Newest syncListed(Path partition, long from, long needed) throws IOException {
    Collection<Path> segments = segments(partition, from, needed);
    Newest newest = null;
    try {
      for (Path segment : segments) {
        close(newest);
        newest = open(segment);
        force(newest.file(), newest.channel());
      }
      if (!entered.containsAll(segments)) {
        forceDirectory(partition);
        forceDirectory(logs);
        entered.addAll(segments);
      }
      return Objects.requireNonNull(newest);
    } catch (IOException | RuntimeException e) {
      close(newest);
      throw e;
    }
  }

  private @Nullable Newest take(String topic) {
    synchronized (open) {
      return open.remove(topic);
    }
  }

  private void keep(String topic, Newest newest) {
    Newest surplus;
    synchronized (open) {
      surplus = open.putLast(topic, newest);
      if (open.size() > MAX_OPEN) {
        surplus = Objects.requireNonNull(open.pollFirstEntry()).getValue();
      }
    }
    close(surplus);
  }

  /** What is forced is on disk; that the file does not close says nothing. */
  private static void close(@Nullable Newest newest) {
    if (newest != null) {
      try {
        newest.channel().close();
      } catch (IOException e) {
        log.debug("{} did not close", newest.file(), e);
      }
    }
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

  private static Newest open(Path segment) throws IOException {
    return new Newest(
        firstOffset(segment), segment, FileChannel.open(segment, StandardOpenOption.WRITE));
  }

  private void forceDirectory(Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      force(directory, channel);
    }
  }

  private void forceOrClose(Newest newest) throws IOException {
    try {
      force(newest.file(), newest.channel());
    } catch (IOException | RuntimeException e) {
      close(newest);
      throw e;
    }
  }

  /**
   * Only what goes wrong in the forcing itself says anything about the disk. An interrupt would
   * close the channel and hide how that went; it waits until afterwards.
   */
  private void force(Path file, FileChannel channel) throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      forcing.force(file, channel);
    } catch (IOException e) {
      throw new DiskFailedException(file + " could not be written through to disk", e);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static String fileName(long firstOffset) {
    String digits = Long.toString(firstOffset);
    return "0".repeat(OFFSET_DIGITS - digits.length()) + digits + SUFFIX;
  }

  private static long firstOffset(Path segment) {
    String name = segment.getFileName().toString();
    return Long.parseLong(name.substring(0, name.length() - SUFFIX.length()));
  }
}
