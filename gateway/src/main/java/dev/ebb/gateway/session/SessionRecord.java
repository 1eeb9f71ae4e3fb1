package dev.ebb.gateway.session;

import dev.ebb.gateway.protocol.StartupMessage;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is known of a client's connection for those who look after the gateway, and the line that
 * its end leaves in the log. Confined to the connection's event loop.
 */
final class SessionRecord {
  /** A logger of its own, so that the lines can be kept or left out by themselves. */
  private static final Logger log = LoggerFactory.getLogger("dev.ebb.gateway.disconnect");

  private static final AtomicLong IDS = new AtomicLong();

  private final long id = IDS.incrementAndGet();
  private final long connectedEpochMs = System.currentTimeMillis();
  private final long connectedNanos = System.nanoTime();
  private final @Nullable InetSocketAddress from;
  private String user = "";
  private String database = "";
  private String branch = "";
  private String applicationName = "";
  private @Nullable DisconnectReason reason;
  private boolean isTold;

  SessionRecord(@Nullable SocketAddress from) {
    this.from = from instanceof InetSocketAddress address ? address : null;
  }

  long id() {
    return id;
  }

  long connectedEpochMs() {
    return connectedEpochMs;
  }

  long ageMs() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - connectedNanos);
  }

  String user() {
    return user;
  }

  /** {@code database@branch}; empty before it was told. */
  String database() {
    return database.isEmpty() ? "" : database + "@" + branch;
  }

  String applicationName() {
    return applicationName;
  }

  String address() {
    return from == null ? "" : from.getAddress().getHostAddress();
  }

  int port() {
    return from == null ? 0 : from.getPort();
  }

  /** The client has said what it wants. */
  void asks(Wish wish, StartupMessage message) {
    user = wish.user();
    database = wish.address().database();
    branch = wish.address().branch();
    applicationName = message.parameters().getOrDefault("application_name", "");
  }

  /** The first reason counts: what follows from it is none. */
  void ends(DisconnectReason why) {
    if (reason == null) {
      reason = why;
    }
  }

  boolean isEnding() {
    return reason != null;
  }

  /**
   * The connection is closed.
   *
   * @param mode as in {@link dev.ebb.gateway.console.ClientInfo}
   * @return the reason, once; null from the second time on
   */
  @Nullable DisconnectReason over(String mode, long statements, long transactions) {
    if (isTold) {
      return null;
    }
    isTold = true;
    DisconnectReason why = reason == null ? DisconnectReason.CLIENT_GONE : reason;
    // Whoever only looks whether the port is open leaves no line.
    if (user.isEmpty() && why != DisconnectReason.PROTOCOL_VIOLATION) {
      log.debug("client {} from {}: reason={}", id, address(), why.word());
    } else {
      log.info(
          "client={} reason={} mode={} database={} branch={} role={} address={}:{} seconds={}"
              + " statements={} transactions={}",
          id,
          why.word(),
          mode,
          shown(database),
          shown(branch),
          shown(user),
          address(),
          port(),
          seconds(),
          statements,
          transactions);
    }
    return why;
  }

  private String seconds() {
    long millis = ageMs();
    return String.format(Locale.ROOT, "%d.%03d", millis / 1_000, millis % 1_000);
  }

  /** A client's text as one word of a line. */
  private static String shown(String text) {
    String word = Wish.shown(text);
    return word.isEmpty() || word.matches("[\\p{Alnum}_.$-]+")
        ? word
        : '"' + word.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
