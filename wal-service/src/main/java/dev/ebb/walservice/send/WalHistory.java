package dev.ebb.walservice.send;

import dev.ebb.shared.model.Lsn;
import java.time.Duration;

/**
 * A branch's WAL, read once from some position on, as far as nothing can take it back: whole
 * records, durable. For one thread. Methods block; {@code Unavailable} may be tried again, {@code
 * NotFound} means that there is no log, {@code Corrupt} that it is not what it must be.
 */
public interface WalHistory extends AutoCloseable {

  /** Makes the history of a branch; it reads nothing before it is asked. */
  @FunctionalInterface
  interface Source {
    WalHistory open(ServedBranch branch);
  }

  /** The end of what may be sent now; {@code Lsn.INVALID} where the log is empty. */
  Lsn end() throws InterruptedException;

  /**
   * Goes to a position, from which {@link #next} then reads.
   *
   * @return where it reads from: {@code from}, or the log's very beginning where that lies behind
   *     {@code from} in the same segment, before which the branch has no WAL
   * @throws RemovedException where the log does not reach back so far
   * @throws AheadException where it does not reach that far yet
   */
  Lsn seek(Lsn from) throws InterruptedException;

  /**
   * The WAL that follows what it returned last.
   *
   * @return empty where there is none within the time
   */
  byte[] next(int maxBytes, Duration wait) throws InterruptedException;

  /** Where what may be sent ends, as far as it was read by now; does not block. */
  Lsn position();

  @Override
  void close();

  /** The position is not there any more. */
  final class RemovedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RemovedException(Lsn from) {
      super("the log begins behind " + from);
    }
  }

  /** The position lies behind the end. */
  final class AheadException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final long end;

    AheadException(Lsn from, Lsn end) {
      super(from + " is ahead of the end " + end);
      this.end = end.value();
    }

    Lsn end() {
      return new Lsn(end);
    }
  }
}
