package dev.ebb.shared.bus;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import org.jspecify.annotations.Nullable;

/** What computes ask of the WAL service. Address: {@link Addresses#WAL}. */
public sealed interface WalMessage extends BusMessage {

  /**
   * Asks for the address of the instance that answers, at once: one that hangs is never told by
   * what it does not do from one that has much to read.
   */
  record FindInstance() implements WalMessage, Request<InstanceFound> {}

  /** It answers here, and nobody else does. */
  record InstanceFound(String address) implements WalMessage {}

  /** Makes the topic of a new branch; no error where it is there already. */
  record CreateLog(BranchId branch) implements WalMessage, Request<Ok> {}

  /**
   * Starts a generation's log: appends the fence, finds where the log ends, appends the start
   * record.
   *
   * @param redoLsn where recovery will begin: the log is verified as an unbroken chain of records
   *     from here on. Of a clean stop its checkpoint record: the chain begins behind it, at
   *     floorLsn
   * @param floorLsn the snapshot's endLsn: a log that ends before it is {@code Corrupt}, never a
   *     silent loss
   * @param clean whether the snapshot is that of a clean stop. What came after it is all that is
   *     needed of the log then, and all that its hint leads to
   * @param closed the head says that the log ends at floorLsn exactly: nothing needs to be read
   * @param walOffsetHint an offset in the topic at or before the record that has the WAL from which
   *     the chain is verified, or -1
   */
  record OpenLog(
      BranchId branch,
      Generation generation,
      Lsn redoLsn,
      Lsn floorLsn,
      boolean clean,
      boolean closed,
      int walSegmentBytes,
      long walOffsetHint)
      implements WalMessage, Request<LogOpened> {}

  /**
   * The generation may start at {@code endLsn} (E): the end of the last complete record.
   *
   * @param address where this generation's other messages go: the instance that holds its log
   */
  record LogOpened(Lsn endLsn, String address) implements WalMessage {}

  /**
   * Makes the topic of a child branch and puts the parent's WAL into it, from {@code from} up to a
   * cut at a record's end: an ordinary log then, of a branch whose primary died at the cut. Only
   * what is durable is copied. The parent is not disturbed. May be repeated, with the same answer
   * or another one: what counts is the last whole copy; a started child's log is not changed.
   *
   * @param child a branch that has no head yet
   * @param childSystemIdentifier put into the copied segments' headers
   * @param from where WAL behind the snapshot begins: its end where it is clean, else its redo
   *     point
   * @param floor the snapshot's endLsn: no cut lies before it
   * @param walOffsetHint an offset in the parent's topic at or before the record of {@code from},
   *     or -1
   * @param at where to cut: null for the log's end; an LSN for the end of the last commit or abort
   *     at or before it; a time for the end of what comes before the first commit or abort later
   *     than it
   */
  record ForkLog(
      BranchId parent,
      BranchId child,
      long childSystemIdentifier,
      Lsn from,
      Lsn floor,
      int walSegmentBytes,
      long walOffsetHint,
      @Nullable BranchPoint at)
      implements WalMessage, Request<LogForked> {}

  /**
   * What became of it.
   *
   * @param cut where the child's log ends; {@code Lsn.INVALID} where nothing was copied
   * @param end how far the parent's log is durable, in whole records
   * @param copiedBytes of WAL
   */
  record LogForked(Outcome outcome, Lsn cut, Lsn end, long copiedBytes) implements WalMessage {
    /** Whether there is a copy, and why there is none. */
    public enum Outcome {
      FORKED,
      /** The snapshot is newer than the cut: take an earlier one. */
      BEFORE_FLOOR,
      /** The LSN is ahead of {@code end}. */
      BEHIND_END,
      /** The log does not reach back to {@code from}. */
      NOT_IN_LOG
    }
  }

  /** Asks for WAL bytes of the branch's one true history, of at most {@code maxBytes}. */
  record ReadWal(BranchId branch, Lsn from, Lsn to, int maxBytes)
      implements WalMessage, Request<WalBytes> {}

  /**
   * WAL from {@code from} on.
   *
   * @param bytes fewer than asked for where a message's bound was reached; empty where the log has
   *     nothing at {@code from}
   */
  record WalBytes(Lsn from, byte[] bytes) implements WalMessage {}

  /**
   * Connects to a primary as its synchronous standby and appends what it sends. Idempotent.
   *
   * @param standbyName the application_name that the primary waits for; unguessable
   */
  record StartReceiver(
      BranchId branch,
      Generation generation,
      Lsn startLsn,
      long systemIdentifier,
      String host,
      int port,
      String user,
      Secret password,
      Secret standbyName)
      implements WalMessage, Request<Ok> {}

  /** Ends the receiver of a generation, after what was received is durable or {@code timeoutMs}. */
  record StopReceiver(BranchId branch, Generation generation, long timeoutMs)
      implements WalMessage, Request<DurableLsn> {}

  /**
   * Waits until the durable LSN is at least {@code lsn}; {@code Unavailable} after {@code
   * timeoutMs}. With {@code Lsn.INVALID} answers at once with the present one.
   */
  record AwaitDurable(BranchId branch, Generation generation, Lsn lsn, long timeoutMs)
      implements WalMessage, Request<DurableLsn> {}

  /**
   * The position up to which Kafka has acknowledged.
   *
   * @param offset of the newest record of the branch that is valid in the log, -1 for none yet
   */
  record DurableLsn(Lsn lsn, long offset) implements WalMessage {}

  /**
   * Deletes the topic of a dropped branch; no error where there is none. Any instance may do it.
   */
  record DeleteLog(BranchId branch) implements WalMessage, Request<Ok> {}

  /**
   * Published on {@link Addresses#WAL_DELETIONS} when the branch's topic is being deleted:
   * whichever instance holds its log lets go of it.
   */
  record LogDeleted(BranchId branch) implements WalMessage {}

  /**
   * Asks where standbys connect to: any instance answers for itself, and serves every branch.
   * {@code Unavailable} where it has no WAL sender.
   */
  record FindSender() implements WalMessage, Request<SenderFound> {}

  /** Where a standby connects to. */
  record SenderFound(String host, int port) implements WalMessage {}

  /**
   * Published on {@link Addresses#WAL_FEEDBACK} by an instance to which standbys of the branch are
   * connected: on change, and repeated while it holds. Who hears no more of it forgets it.
   *
   * @param instance who says so
   * @param oldestTransaction that queries on these standbys still need, with its epoch in the upper
   *     half; 0 for none
   */
  record StandbyFeedback(BranchId branch, String instance, long oldestTransaction)
      implements WalMessage {}
}
