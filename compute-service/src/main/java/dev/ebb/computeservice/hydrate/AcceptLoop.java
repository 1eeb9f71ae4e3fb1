package dev.ebb.computeservice.hydrate;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Accepts connections until there is nothing to accept from any more. Where accepting fails, as it
 * does without free file descriptors (EMFILE, ENFILE), it waits a while before it tries again: what
 * could not be accepted is still there, so that it would fail again at once. Says so once, and once
 * when it goes on.
 *
 * @param <C> a connection
 */
final class AcceptLoop<C> {
  private static final Logger log = LoggerFactory.getLogger(AcceptLoop.class);
  static final long FIRST_PAUSE_MS = 5;
  static final long MAX_PAUSE_MS = 500;

  private final String name;
  private final Accepting<C> accepting;
  private final Consumer<C> serve;
  private final Pausing pausing;

  /** Waits for the next connection; {@code ClosedChannelException} ends the loop. */
  @FunctionalInterface
  interface Accepting<C> {
    C accept() throws IOException;
  }

  /** Lets time pass. */
  @FunctionalInterface
  interface Pausing {
    void pause(long ms) throws InterruptedException;
  }

  AcceptLoop(String name, Accepting<C> accepting, Consumer<C> serve, Pausing pausing) {
    this.name = name;
    this.accepting = accepting;
    this.serve = serve;
    this.pausing = pausing;
  }

  /** Returns when it is closed, or its thread is interrupted. */
  void run() {
    long pauseMs = 0;
    while (true) {
      try {
        C connection = accepting.accept();
        if (pauseMs > 0) {
          log.info("connections at {} are accepted again", name);
          pauseMs = 0;
        }
        serve.accept(connection);
      } catch (ClosedChannelException _) {
        return;
      } catch (IOException e) {
        if (pauseMs == 0) {
          log.warn("no connection at {} can be accepted for now: {}", name, e.toString());
        }
        pauseMs = Math.clamp(pauseMs * 2, FIRST_PAUSE_MS, MAX_PAUSE_MS);
        try {
          pausing.pause(pauseMs);
        } catch (InterruptedException _) {
          Thread.currentThread().interrupt();
          return;
        }
      }
    }
  }
}
