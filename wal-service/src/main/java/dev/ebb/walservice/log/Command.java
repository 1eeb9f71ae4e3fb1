package dev.ebb.walservice.log;

import dev.ebb.shared.model.Lsn;

/** What a {@link LogWriter} wants done. Commands are carried out in order. */
public sealed interface Command {

  /** Append; then tell {@code LogWriter.appended} with the ticket. */
  record Append(long ticket, LogRecord record) implements Command {}

  /**
   * Read the records of [{@code from}, {@code to}), all of which are acknowledged, and hand each to
   * {@code LogWriter.read}; then {@code LogWriter.readEnded}. A read that fails is begun again with
   * {@code LogWriter.readAgain}.
   */
  record Read(long from, long to) implements Command {}

  /** The term has started: WAL may be appended from {@code end} on. */
  record Opened(Lsn end) implements Command {}

  /**
   * WAL up to {@code lsn} is durable and valid: it may be acknowledged.
   *
   * @param offset of the newest record that this covers
   */
  record Durable(Lsn lsn, long offset) implements Command {}

  /** It is over: nothing is acknowledged any more. */
  record Ended(End end) implements Command {}

  /** Why a writer ended, by what its owner should do. */
  sealed interface End {
    String why();
  }

  /** A later generation took over: stop. */
  record Fenced(String why) implements End {}

  /**
   * Another instance opened this very generation's log: whoever writes here stops, but the
   * generation is not over, and its primary goes on where it opens the log again.
   */
  record Displaced(String why) implements End {}

  /** What was appended cannot be told: open again, as a new term, which reads the log. */
  record Uncertain(String why) implements End {}

  /** The log is not what it must be: never go on. */
  record Corrupted(String why) implements End {}
}
