package dev.ebb.walservice.log;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One term's writer: fences, finds the end of the log, starts, appends, and tells what may be
 * acknowledged. Pure: the owner carries out the commands and reports what happened; it calls from
 * one thread at a time.
 *
 * <p>The rule that everything rests on: a record is acknowledged only when every offset from the
 * fence's to its own is known to hold nothing that ends the term. An offset that follows the last
 * one known needs no look; a gap is read back. {@code docs/decisions/0003-offset-contiguity.md} has
 * the argument.
 */
public final class LogWriter {
  private enum Phase {
    NEW,
    FENCING,
    /** The log should be closed: looks at what lies between the hint and our fence. */
    CHECKING_CLOSED,
    FOLDING,
    STARTING,
    /** Looks at what lies between our fence and our start record. */
    CHECKING_START,
    OPEN,
    /** Open, with a gap in the offsets of our records being read back. */
    CHECKING_GAP,
    ENDED
  }

  private record Pending(long ticket, Lsn end) {}

  private final Term term;
  private final Opening opening;
  private final Function<Boolean, LogFold> newFold;
  private final Function<LogFold, Lsn> findEnd;

  private final List<Command> commands = new ArrayList<>();
  private final ArrayDeque<Pending> pending = new ArrayDeque<>();
  private final Map<Long, Long> acknowledged = new HashMap<>();
  private Phase phase = Phase.NEW;
  private long nextTicket;
  private long fenceOffset = -1;
  private long startOffset = -1;
  private long provenOffset = -1;
  private Lsn startLsn = Lsn.INVALID;
  private Lsn appendEnd = Lsn.INVALID;
  private Lsn durable = Lsn.INVALID;
  private @Nullable LogFold fold;
  private boolean foldFromHint;
  private boolean closedLogGoesOn;
  private Command.@Nullable Read reading;

  /**
   * A writer that has done nothing yet.
   *
   * @param newFold makes a fold; asked with true for one that starts at a record known to be valid
   * @param findEnd where the term is to start, of a fold up to our fence; {@code Corrupt} thrown
   *     ends the writer
   */
  public LogWriter(
      Term term,
      Opening opening,
      Function<Boolean, LogFold> newFold,
      Function<LogFold, Lsn> findEnd) {
    this.term = term;
    this.opening = opening;
    this.newFold = newFold;
    this.findEnd = findEnd;
  }

  public Term term() {
    return term;
  }

  /** Where the next WAL must begin. */
  public Lsn appendEnd() {
    return appendEnd;
  }

  /** What may be acknowledged; {@code Lsn.INVALID} before the term started. */
  public Lsn durable() {
    return durable;
  }

  /** The newest record known to be valid; -1 before the term started. */
  public long provenOffset() {
    return provenOffset;
  }

  /**
   * For a further writer of the same generation, where this one cannot go on. It reads from the
   * newest record known to be valid: what a primary wrote long ago may have expired, and is much.
   */
  public Opening again() {
    return Opening.takeover(durable, provenOffset);
  }

  public boolean isOpen() {
    return phase == Phase.OPEN || phase == Phase.CHECKING_GAP;
  }

  public boolean isEnded() {
    return phase == Phase.ENDED;
  }

  /** Records that are appended and not proven yet. */
  public int pendingRecords() {
    return pending.size();
  }

  /** What the log said up to our fence; null where it needed no reading. */
  public @Nullable LogFold fold() {
    return fold;
  }

  /** Begins: appends the fence. */
  public List<Command> open() {
    require(phase == Phase.NEW, "opened twice");
    phase = Phase.FENCING;
    append(LogRecord.fence(term));
    return drain();
  }

  /** Appends WAL, which must begin at {@code appendEnd}. */
  public List<Command> appendWal(Lsn lsn, byte[] bytes) {
    require(isOpen(), "the term is not open");
    require(lsn.equals(appendEnd), "WAL from " + lsn + " does not follow " + appendEnd);
    appendEnd = lsn.plus(bytes.length);
    pending.add(new Pending(nextTicket, appendEnd));
    append(LogRecord.wal(term, lsn, bytes));
    return drain();
  }

  /**
   * A record was acknowledged by the topic (by all in-sync replicas).
   *
   * @param offset its offset, or -1 where the topic does not tell
   */
  public List<Command> appended(long ticket, long offset) {
    if (phase == Phase.ENDED) {
      return List.of();
    }
    if (offset < 0) {
      end(new Command.Uncertain("the offset of a record is not known"));
      return drain();
    }
    switch (phase) {
      case FENCING -> fenced(offset);
      case STARTING -> started(offset);
      case OPEN, CHECKING_GAP -> {
        acknowledged.put(ticket, offset);
        if (phase == Phase.OPEN) {
          prove();
        }
      }
      case NEW, CHECKING_CLOSED, FOLDING, CHECKING_START, ENDED ->
          throw new IllegalStateException("nothing was appended in " + phase);
    }
    return drain();
  }

  /** A record could not be appended, or nobody knows whether it was. */
  public List<Command> appendFailed(String why) {
    end(new Command.Uncertain(why));
    return drain();
  }

  /**
   * The next record of the range that the last {@code Read} asked for. Where {@code isEnded} is
   * true then, the rest of the range may be left out, but not {@code readEnded}.
   */
  public void read(LogRecord.Stored stored) {
    LogRecord record = stored.record();
    switch (phase) {
      case CHECKING_CLOSED -> {
        if (isLaterGeneration(record)) {
          fencedBy(stored);
        }
        closedLogGoesOn |= record.kind() == RecordKind.WAL;
      }
      case FOLDING -> Objects.requireNonNull(fold).accept(stored);
      case CHECKING_START, CHECKING_GAP -> {
        if (record.kind() == RecordKind.FENCE && term.isEndedBy(record.term())) {
          fencedBy(stored);
        }
      }
      case ENDED -> {}
      case NEW, FENCING, STARTING, OPEN ->
          throw new IllegalStateException("nothing is read in " + phase);
    }
  }

  /** The range was read to its end. */
  public List<Command> readEnded() {
    reading = null;
    switch (phase) {
      case CHECKING_CLOSED -> {
        if (closedLogGoesOn) {
          foldFrom(opening.hint());
        } else {
          start(opening.floor());
        }
      }
      case FOLDING -> folded();
      case CHECKING_START -> opened();
      case CHECKING_GAP -> {
        phase = Phase.OPEN;
        Pending head = pending.remove();
        proven(head, Objects.requireNonNull(acknowledged.remove(head.ticket())));
        prove();
      }
      case ENDED -> {}
      case NEW, FENCING, STARTING, OPEN ->
          throw new IllegalStateException("nothing is read in " + phase);
    }
    return drain();
  }

  /** A read broke off: asks for it again from its beginning. */
  public List<Command> readAgain() {
    if (phase == Phase.ENDED) {
      return List.of();
    }
    if (phase == Phase.FOLDING) {
      fold = newFold.apply(foldFromHint);
    }
    commands.add(Objects.requireNonNull(reading));
    return drain();
  }

  /** The topic's content is not what it must be. */
  public List<Command> corrupt(String why) {
    end(why);
    return drain();
  }

  private void fenced(long offset) {
    fenceOffset = offset;
    if (opening.hint() >= offset) {
      end(
          "the log ends before record "
              + opening.hint()
              + ", which it had: it lost acknowledged records");
    } else if (!opening.closed()) {
      foldFrom(opening.hint());
    } else if (offset == opening.hint() + 1) {
      start(opening.floor());
    } else {
      phase = Phase.CHECKING_CLOSED;
      askFor(opening.hint() + 1, offset);
    }
  }

  private void foldFrom(long hint) {
    phase = Phase.FOLDING;
    foldFromHint = hint > 0;
    fold = newFold.apply(foldFromHint);
    askFor(Math.max(hint, 0), fenceOffset + 1);
  }

  private void folded() {
    LogFold folded = Objects.requireNonNull(fold);
    if (!term.equals(folded.term())) {
      end(
          endedBy(
              folded.term(),
              "term " + folded.term() + " is in the log, which is later than ours, " + term));
    } else if (foldFromHint && (folded.isEmpty() || folded.base().isAfter(opening.neededFrom()))) {
      foldFrom(-1);
    } else {
      try {
        start(findEnd.apply(folded));
      } catch (EbbException.Corrupt e) {
        end(Objects.requireNonNullElse(e.getMessage(), "corrupt"));
      }
    }
  }

  private void start(Lsn lsn) {
    phase = Phase.STARTING;
    startLsn = lsn;
    append(LogRecord.start(term, lsn, fenceOffset));
  }

  private void started(long offset) {
    if (offset <= fenceOffset) {
      end(new Command.Uncertain("the start record lies before its fence"));
      return;
    }
    startOffset = offset;
    if (offset == fenceOffset + 1) {
      opened();
    } else {
      phase = Phase.CHECKING_START;
      askFor(fenceOffset + 1, offset);
    }
  }

  private void opened() {
    phase = Phase.OPEN;
    provenOffset = startOffset;
    appendEnd = startLsn;
    durable = startLsn;
    commands.add(new Command.Opened(startLsn));
  }

  /** Goes on through our records in order for as long as their offsets follow one another. */
  private void prove() {
    Pending head = pending.peek();
    while (head != null && acknowledged.containsKey(head.ticket())) {
      long offset = Objects.requireNonNull(acknowledged.get(head.ticket()));
      if (offset <= provenOffset) {
        end(new Command.Uncertain("record " + offset + " was acknowledged behind " + provenOffset));
        return;
      }
      if (offset > provenOffset + 1) {
        phase = Phase.CHECKING_GAP;
        askFor(provenOffset + 1, offset);
        return;
      }
      pending.remove();
      acknowledged.remove(head.ticket());
      proven(head, offset);
      head = pending.peek();
    }
  }

  private void proven(Pending record, long offset) {
    provenOffset = offset;
    durable = record.end();
    commands.add(new Command.Durable(durable, offset));
  }

  private boolean isLaterGeneration(LogRecord record) {
    return record.kind() == RecordKind.FENCE
        && record.term().generation().compareTo(term.generation()) > 0;
  }

  private void fencedBy(LogRecord.Stored fence) {
    Term other = fence.record().term();
    end(
        other.equals(term)
            ? new Command.Uncertain("our own fence is in the log twice")
            : endedBy(
                other,
                "term " + other + " took over from " + term + " at record " + fence.offset()));
  }

  private Command.End endedBy(@Nullable Term other, String why) {
    return other != null && other.generation().equals(term.generation())
        ? new Command.Displaced(why)
        : new Command.Fenced(why);
  }

  private void askFor(long from, long to) {
    reading = new Command.Read(from, to);
    commands.add(reading);
  }

  private void append(LogRecord record) {
    commands.add(new Command.Append(nextTicket++, record));
  }

  private void end(String corruption) {
    end(new Command.Corrupted(corruption));
  }

  private void end(Command.End why) {
    if (phase != Phase.ENDED) {
      phase = Phase.ENDED;
      commands.add(new Command.Ended(why));
    }
  }

  private List<Command> drain() {
    List<Command> all = List.copyOf(commands);
    commands.clear();
    return all;
  }

  private static void require(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalStateException(otherwise);
    }
  }
}
