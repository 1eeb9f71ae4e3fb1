package dev.ebb.walservice.send;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.protocol.Reply;
import dev.ebb.walservice.protocol.SqlError;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends WAL from one position on until it is told to finish, on a thread of its own, which alone
 * writes meanwhile. What the peer does not take stays in the log: nothing piles up here. After
 * {@code XLogSendPhysical} and {@code WalSndLoop} in {@code walsender.c}.
 */
final class Streaming implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(Streaming.class);

  /** As MAX_SEND_SIZE there. */
  private static final int MAX_SEND_BYTES = 128 << 10;

  private static final Duration LOOK_UP = Duration.ofMillis(50);
  private static final Duration HEARTBEAT = Duration.ofSeconds(10);
  private static final Duration RETRY = Duration.ofMillis(200);
  private static final Instant EPOCH = Instant.parse("2000-01-01T00:00:00Z");

  /** How it is to end. */
  enum Finish {
    /** The peer has sent all that it wants to say: the connection goes on. */
    DONE,
    /** The service stops: the peer may look for another one. */
    SHUTDOWN,
    /** The branch was dropped. */
    DROPPED,
    /** The connection is lost or given up: nothing is written any more. */
    ABANDONED
  }

  private final OutputStream out;
  private final WalHistory history;
  private final SenderState state;
  private final SenderMetrics metrics;
  private final Clock clock;
  private final Duration timeout;
  private final Runnable close;
  private final Lsn told;
  private Lsn at;
  private byte[] first;
  private volatile @Nullable Finish finish;
  private volatile boolean replyRequested;
  private boolean pinged;

  /**
   * Where there is nothing to send, the peer is told so at once: it cannot know where the end is.
   */
  private long saidNanos = System.nanoTime() - HEARTBEAT.toNanos() - 1;

  private boolean troubled;

  /**
   * @param at where {@code history} was told to read from
   * @param prefix bytes to send first, which end at {@code at}
   * @param told how far the log is known to reach, at least: it may be read up to there much later
   * @param close ends the connection; called where this ends by itself
   */
  Streaming(
      OutputStream out,
      WalHistory history,
      Lsn at,
      byte[] prefix,
      Lsn told,
      SenderState state,
      SenderMetrics metrics,
      Clock clock,
      Duration timeout,
      Runnable close) {
    this.out = out;
    this.history = history;
    this.at = at;
    this.first = prefix;
    this.told = told;
    this.state = state;
    this.metrics = metrics;
    this.clock = clock;
    this.timeout = timeout;
    this.close = close;
  }

  /** Has it end soon; the first to say how is heard. */
  synchronized void finish(Finish how) {
    if (finish == null || how == Finish.ABANDONED) {
      finish = how;
    }
  }

  /** The peer wants to hear from us. */
  void reply() {
    replyRequested = true;
  }

  @Override
  public void run() {
    try {
      sendPrefix();
      keepAlive(!at.isBefore(history.position()));
      while (finish == null) {
        byte[] wal = take();
        if (wal.length > 0) {
          send(wal);
        }
        keepAlive(wal.length == 0);
      }
      bid();
    } catch (IOException e) {
      log.debug("the connection of {} is lost", state.client, e);
      close.run();
    } catch (InterruptedException e) {
      close.run();
    } catch (EbbException e) {
      fail(failure(e));
    } catch (RuntimeException | Error e) {
      log.error("streaming to {} failed", state.client, e);
      fail(SqlError.fatal(SqlError.INTERNAL_ERROR, "internal error in the WAL sender"));
    }
  }

  private void sendPrefix() throws IOException {
    byte[] prefix = first;
    first = new byte[0];
    Lsn from = at.plus(-prefix.length);
    for (int done = 0; done < prefix.length; done += MAX_SEND_BYTES) {
      int length = Math.min(MAX_SEND_BYTES, prefix.length - done);
      write(from.plus(done), prefix, done, length);
    }
  }

  private void send(byte[] wal) throws IOException {
    write(at, wal, 0, wal.length);
    at = at.plus(wal.length);
  }

  private void write(Lsn from, byte[] wal, int offset, int length) throws IOException {
    out.write(Reply.walHeader(from, end(), micros(), length));
    out.write(wal, offset, length);
    out.flush();
    state.sent(from.plus(length), length);
    metrics.sent(length);
    saidNanos = System.nanoTime();
  }

  /** What the peer measures itself by: of a long log not only what has been read of it so far. */
  private Lsn end() {
    return Lsn.max(told, history.position());
  }

  /** What there is to send; empty where there is nothing, or the log cannot be reached just now. */
  private byte[] take() throws InterruptedException {
    try {
      byte[] wal = history.next(MAX_SEND_BYTES, LOOK_UP);
      state.end(end());
      if (troubled) {
        troubled = false;
        log.info("the log for {} can be read again", state.client);
      }
      return wal;
    } catch (EbbException.Unavailable e) {
      if (!troubled) {
        troubled = true;
        log.warn("the log for {} cannot be read, trying on: {}", state.client, e.getMessage());
      }
      Thread.sleep(RETRY);
      return new byte[0];
    }
  }

  private void keepAlive(boolean idle) throws IOException {
    long now = System.nanoTime();
    Duration silence = state.silence();
    boolean ask = silence.compareTo(timeout.dividedBy(2)) > 0;
    if (!ask) {
      pinged = false;
    }
    boolean asked = replyRequested;
    if (asked || (ask && !pinged) || (idle && now - saidNanos > HEARTBEAT.toNanos())) {
      replyRequested = false;
      pinged |= ask;
      out.write(Reply.keepalive(at, micros(), ask));
      out.flush();
      saidNanos = now;
    }
  }

  private long micros() {
    return ChronoUnit.MICROS.between(EPOCH, clock.instant());
  }

  private void bid() throws IOException {
    switch (java.util.Objects.requireNonNull(finish)) {
      case DONE -> {
        out.write(Reply.copyDone());
        // Two of them, as PostgreSQL has it: libpqwalreceiver takes one for the end of the copy.
        out.write(Reply.commandComplete("START_STREAMING"));
        out.write(Reply.commandComplete("START_REPLICATION"));
        out.flush();
      }
      case SHUTDOWN -> {
        // As WalSndDone does: a standby takes it for a shutdown and connects again.
        out.write(Reply.commandComplete("COPY 0"));
        out.flush();
        close.run();
      }
      case DROPPED ->
          fail(
              SqlError.fatal(
                  SqlError.ADMIN_SHUTDOWN, "terminating the stream: the branch was dropped"));
      case ABANDONED -> close.run();
    }
  }

  private void fail(SqlError error) {
    try {
      out.write(Reply.error(error));
      out.flush();
    } catch (IOException e) {
      log.debug("the connection of {} is lost", state.client, e);
    }
    close.run();
  }

  private SqlError failure(EbbException error) {
    if (error instanceof EbbException.Corrupt) {
      log.error("streaming to {} ends: {}", state.client, error.getMessage());
    } else {
      log.warn("streaming to {} ends: {}", state.client, error.getMessage());
    }
    return SenderErrors.of(error, true);
  }
}
