package dev.ebb.shared.bus;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;

/** What computes ask of the WAL service. Address: {@link Addresses#WAL}. */
public sealed interface WalMessage extends BusMessage {

  /** Makes the topic of a new branch; no error where it is there already. */
  record CreateLog(BranchId branch) implements WalMessage, Request<Ok> {}

  /**
   * Starts a generation's log: appends the fence, finds where the log ends, appends the start
   * record.
   *
   * @param redoLsn where recovery will begin: the log is verified as an unbroken chain of records
   *     from here on
   * @param floorLsn the snapshot's endLsn: a log that ends before it is {@code Corrupt}, never a
   *     silent loss
   * @param closed the head says that the log ends at floorLsn exactly: nothing needs to be read
   * @param walOffsetHint an offset in the topic at or before redoLsn's record, or -1
   */
  record OpenLog(
      BranchId branch,
      Generation generation,
      Lsn redoLsn,
      Lsn floorLsn,
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
}
