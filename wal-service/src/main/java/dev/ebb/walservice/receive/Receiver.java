package dev.ebb.walservice.receive;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.Command;
import dev.ebb.walservice.session.LogSession;
import dev.ebb.walservice.session.WalMetrics;
import dev.ebb.walservice.topic.GuardedThread;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.OptionalLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Receives one primary's WAL until it is stopped, fenced, finds that the primary is not what the
 * log says, or that it is gone. Lost connections are made again; a session that cannot tell what it
 * appended is opened again; both from where the log ends. Commits wait meanwhile.
 */
public final class Receiver {
  private static final Logger log = LoggerFactory.getLogger(Receiver.class);

  /** No record of the topic is longer: a bounded piece of work for every reader. */
  private static final int MAX_RECORD_BYTES = 512 << 10;

  private static final Duration HEARTBEAT = Duration.ofSeconds(1);
  private static final Duration WITHOUT_SLOT_FOR = Duration.ofSeconds(30);

  /** A primary that is not announced any more and cannot be reached for so long is gone. */
  private static final Duration GONE_AFTER = Duration.ofSeconds(30);

  /** How a primary is reached. */
  public interface Connector {
    /**
     * Connects and starts to stream from {@code start}.
     *
     * @throws EbbException.Corrupt when it is another database or another timeline
     */
    PrimaryConnection open(Primary primary, Lsn start) throws SQLException, IOException;

    /**
     * Over the network.
     *
     * @param silence a primary that says nothing for so long is gone; seconds
     */
    static Connector real(Duration silence) {
      return (primary, start) -> PrimaryConnection.open(primary, start, silence);
    }
  }

  /** Where a receiver's log is. */
  public interface Log {
    /** The present session. */
    LogSession session();

    /** Opens a new session where the present one cannot tell what it appended; blocks. */
    void reopen(LogSession uncertain) throws InterruptedException;

    /** What is known of the WAL where the present session's log ends. */
    StreamStart streamStart();

    /** Bytes were handed to the session: the last ones that a next stream can be compared with. */
    void appended(Lsn lsn, byte[] bytes);

    /** What is heard of the primary, asked for where it cannot be reached. */
    Sighting sighting();

    /**
     * That queries on the branch's standbys need, with its epoch in the upper half; 0 for none.
     * Does not block.
     */
    long oldestTransaction();
  }

  private final String name;
  private final Primary primary;
  private final Log target;
  private final Connector connector;
  private final WalMetrics metrics;
  private final Consumer<EbbException> failed;
  private volatile boolean stopping;
  private volatile @Nullable PrimaryConnection connection;
  private volatile long heardNanos;

  /** What was confirmed last; may be confirmed twice, by both threads, which does no harm. */
  private volatile Lsn confirmed = Lsn.INVALID;

  private final Attempts attempts = new Attempts(GONE_AFTER);
  private final Thread thread;

  /**
   * A receiver that is not started yet.
   *
   * @param failed told once where it ends by itself
   */
  public Receiver(
      String name,
      Primary primary,
      Log target,
      Connector connector,
      WalMetrics metrics,
      Consumer<EbbException> failed) {
    this.name = name;
    this.primary = primary;
    this.target = target;
    this.connector = connector;
    this.metrics = metrics;
    this.failed = failed;
    this.thread = new GuardedThread("wal-receiver-" + name, this::run);
  }

  public Primary primary() {
    return primary;
  }

  public void start() {
    metrics.receiverStarted();
    thread.start();
  }

  /** Ends the connection at once and waits until the thread is gone. */
  public void stop() throws InterruptedException {
    stopping = true;
    thread.interrupt();
    PrimaryConnection open = connection;
    if (open != null) {
      open.close();
    }
    thread.join(Duration.ofSeconds(5));
  }

  private void run() {
    try {
      while (!stopping) {
        LogSession session = target.session();
        Command.End end = session.end();
        if (end instanceof Command.Uncertain) {
          target.reopen(session);
          continue;
        }
        if (end != null) {
          throw LogSession.toException(end);
        }
        String broke = receive(session);
        if (session.end() == null && !stopping) {
          pauseOrGiveUp(broke);
        }
      }
    } catch (InterruptedException e) {
      log.debug("the receiver of {} is stopped", name);
    } catch (EbbException.Corrupt e) {
      log.error("the receiver of {} ends: {}", name, e.getMessage());
      failed.accept(e);
    } catch (EbbException e) {
      log.warn("the receiver of {} ends: {}", name, e.getMessage());
      failed.accept(e);
    } catch (RuntimeException | Error e) {
      // An error, too, such as a thread that cannot be made: commits would wait for ever for a
      // receiver of which nobody knows that it is gone.
      log.error("the receiver of {} ends", name, e);
      failed.accept(new EbbException.Unavailable("the receiver failed: " + e, e));
    } finally {
      metrics.receiverEnded();
    }
  }

  private void pauseOrGiveUp(String broke) throws InterruptedException {
    long now = System.nanoTime();
    if (attempts.ended(now) == Attempts.News.LOST) {
      log.warn("the primary of {} is not received any more, trying on: {}", name, broke);
    }
    EbbException over = attempts.giveUp(now, target.sighting());
    if (over != null) {
      throw over;
    }
    Thread.sleep(attempts.pauseMs());
  }

  /**
   * One connection's life. Returns when it is over, and why; throws where there must not be
   * another.
   */
  private String receive(LogSession session) throws InterruptedException {
    // What is in flight must be known first: the stream goes on behind it.
    while (!session.awaitDurable(session.appendEnd(), HEARTBEAT)) {
      if (session.end() != null) {
        return "the log's session ended";
      }
    }
    StreamStart start = target.streamStart();
    try (PrimaryConnection opened = connector.open(primary, start.overlapFrom())) {
      connection = opened;
      confirmed = Lsn.INVALID;
      heardNanos = System.nanoTime();
      if (stopping) {
        return "it is stopped";
      }
      if (attempts.established(heardNanos) == Attempts.News.BACK) {
        log.info("the primary of {} is received again", name);
      }
      opened.sendStatus(session.durable(), false);
      var feedback = new FeedbackPace(target::oldestTransaction);
      tell(feedback, opened, heardNanos);
      Thread confirming = confirming(session, opened, feedback);
      session.onProgress(() -> wakeUnlessHere(confirming));
      confirming.start();
      stream(session, opened, start.check());
      return "the stream ended";
    } catch (SQLException | IOException | EbbException.Unavailable e) {
      log.debug("the stream of {} broke", name, e);
      return String.valueOf(e.getMessage());
    } finally {
      connection = null;
    }
  }

  /**
   * Reads what there is, appends it as one record, confirms it, and so on: the busier the primary,
   * the more commits share a record, an acknowledgement, and a wait for the disk.
   */
  private void stream(LogSession session, PrimaryConnection opened, StreamStart.Check check)
      throws SQLException, IOException, InterruptedException {
    var gathered = new ByteArrayOutputStream();
    while (!stopping && session.end() == null) {
      StreamMessage message = opened.read();
      heardNanos = System.nanoTime();
      switch (message) {
        case StreamMessage.WalData data ->
            gathered.writeBytes(
                check.accept(data.start(), data.bytes(), StreamMessage.WalData.HEADER_BYTES));
        case StreamMessage.Keepalive keepalive -> {
          if (keepalive.replyRequested()) {
            opened.sendStatus(session.durable(), false);
          }
        }
        case null -> {
          var _ = append(session, gathered);
          return;
        }
      }
      if (gathered.size() >= MAX_RECORD_BYTES || !opened.hasMore()) {
        if (!append(session, gathered)) {
          return;
        }
        confirmHere(session, opened);
      }
    }
  }

  /** Appends what is gathered and empties it; false where the session has ended. */
  private boolean append(LogSession session, ByteArrayOutputStream gathered)
      throws InterruptedException {
    byte[] bytes = gathered.toByteArray();
    gathered.reset();
    for (int from = 0; from < bytes.length; from += MAX_RECORD_BYTES) {
      int to = Math.min(from + MAX_RECORD_BYTES, bytes.length);
      byte[] piece = from == 0 && to == bytes.length ? bytes : Arrays.copyOfRange(bytes, from, to);
      Lsn lsn = session.appendEnd();
      if (!session.append(lsn, piece)) {
        return false;
      }
      target.appended(lsn, piece);
    }
    return true;
  }

  /** Where the append waited for the disk itself, nobody else need be woken to confirm it. */
  private void confirmHere(LogSession session, PrimaryConnection opened) throws IOException {
    Lsn durable = session.durable();
    if (durable.isAfter(confirmed)) {
      confirmed = durable;
      opened.sendStatus(durable, false);
    }
  }

  private static void tell(FeedbackPace feedback, PrimaryConnection opened, long now)
      throws IOException {
    OptionalLong due = feedback.due(now);
    if (due.isPresent()) {
      opened.sendFeedback(due.getAsLong());
    }
  }

  private void wakeUnlessHere(Thread confirming) {
    if (Thread.currentThread() != thread) {
      LockSupport.unpark(confirming);
    }
  }

  private Thread confirming(LogSession session, PrimaryConnection opened, FeedbackPace feedback) {
    return Thread.ofPlatform()
        .daemon()
        .name("wal-confirm-" + name)
        .unstarted(() -> confirm(session, opened, feedback));
  }

  /**
   * Confirms whatever became durable, the moment that it did, and says that we live. A thread of
   * its own: the reading one may be waiting for room or for the disk, and the primary must hear
   * from us all the same.
   */
  private void confirm(LogSession session, PrimaryConnection opened, FeedbackPace feedback) {
    long began = System.nanoTime();
    long saidNanos = began;
    try {
      while (connection == opened) {
        LockSupport.parkNanos(HEARTBEAT.toNanos());
        long now = System.nanoTime();
        Lsn durable = session.durable();
        if (durable.isAfter(confirmed) || now - saidNanos >= HEARTBEAT.toNanos()) {
          confirmed = durable;
          saidNanos = now;
          opened.sendStatus(durable, now - heardNanos > opened.askAfter().toNanos());
        }
        tell(feedback, opened, now);
        if (session.end() != null
            || (!opened.withSlot() && now - began > WITHOUT_SLOT_FOR.toNanos())) {
          opened.close();
          return;
        }
      }
    } catch (IOException e) {
      opened.close();
    }
  }
}
