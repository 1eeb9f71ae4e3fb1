package dev.ebb.walservice.topic;

import dev.ebb.shared.model.BranchId;
import dev.ebb.walservice.log.LogRecord;
import java.time.Duration;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The topics of all branches. Methods block; errors are {@code EbbException}s: {@code NotFound}
 * where the branch has no topic, {@code Unavailable} where the topic cannot be reached in time,
 * {@code Corrupt} where a record cannot be read.
 */
public interface LogTopics extends AutoCloseable {

  /** Told once about each appended record, on a thread that must not block. */
  interface Appended {
    /**
     * The record is in the topic, or failed.
     *
     * @param offset the record's, or -1 where it is not known
     * @param error null where all in-sync replicas have the record
     */
    void done(long offset, @Nullable Exception error);
  }

  /** Makes a branch's topic; nothing where it is there already. */
  void create(BranchId branch, Duration timeout);

  /** {@code Invalid} where what is acknowledged here may be lost, whatever a topic's settings. */
  void requireSafe(Duration timeout);

  /**
   * Checks that the topic keeps what it is given, and corrects settings that do not; {@code
   * Unavailable} where that is refused.
   *
   * @return its {@link #identity}
   */
  String verify(BranchId branch, Duration timeout);

  /**
   * Appends behind all that was appended here before. Records reach the topic in order, for as long
   * as none fails. May wait for room in the producer's buffer; where the broker is in this process
   * it waits for its disk as well, unless another thread does that already for the same topic.
   */
  void append(BranchId branch, LogRecord record, Appended appended);

  /**
   * Reads the records of [{@code from}, {@code to}) that are there, in order; all offsets below
   * {@code to} are acknowledged. {@code NotFound} where the first of them are not there any more.
   *
   * @param each takes a record; false ends the read
   */
  void read(
      BranchId branch, long from, long to, Predicate<LogRecord.Stored> each, Duration timeout);

  /** Behind the newest acknowledged record. */
  long endOffset(BranchId branch, Duration timeout);

  /**
   * Behind the newest record that no failure takes away any more. Where the broker is in this
   * process, records can be read before they are on disk: waits until they are.
   */
  long durableEndOffset(BranchId branch, Duration timeout);

  /**
   * The oldest record that the topic itself still has. Where that is not the first one, it is part
   * of the history.
   */
  long beginOffset(BranchId branch, Duration timeout);

  /**
   * Takes the records before an offset out of the topic.
   *
   * @param before the offset of a record that is known to be part of the history
   */
  void trim(BranchId branch, long before, Duration timeout);

  /** Tells the topic from others that the branch had before; letters, digits, {@code _-}. */
  String identity(BranchId branch, Duration timeout);

  /** Deletes a branch's topic; nothing where there is none. */
  void delete(BranchId branch, Duration timeout);

  @Override
  void close();
}
