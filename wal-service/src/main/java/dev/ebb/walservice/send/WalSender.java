package dev.ebb.walservice.send;

import com.ongres.scram.common.ScramFunctions;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.scram.ScramExchange;
import dev.ebb.shared.scram.ScramVerifier;
import dev.ebb.walservice.topic.LogTopics;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Listens for standbys; see the package. Thread-safe. */
public final class WalSender implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(WalSender.class);
  private static final int NONCE_CHARS = 24;
  private static final int BACKLOG = 50;

  /** Connections that have not logged in: of more, those go that have taken longest. */
  static final int MAX_LOGINS = 64;

  private static final Duration LOGIN_TIMEOUT = Duration.ofSeconds(15);
  private static final Duration WATCH = Duration.ofMillis(250);
  private static final Duration REFRESH = Duration.ofSeconds(2);

  /** So long may streams take to say goodbye. */
  private static final Duration GOODBYE = Duration.ofSeconds(2);

  private final WalSenderConfig config;
  private final SenderMetrics metrics;
  private final SenderSession.Services services;
  private final Seats seats;
  private final ServerSocket server;
  private volatile boolean closed;

  /** Reads the logs of branches from their topics. */
  public static WalHistory.Source fromTopics(LogTopics topics, DurableEnds ends, Path directory) {
    var marks = new ConcurrentHashMap<BranchId, Marks>();
    return branch ->
        new TopicHistory(
            topics, ends, branch, marks.computeIfAbsent(branch.id(), id -> new Marks()), directory);
  }

  /**
   * Listens, and serves from now on; {@code Unavailable} where it cannot listen.
   *
   * @param histories where the WAL comes from
   */
  public WalSender(
      WalSenderConfig config,
      ServedBranch.Directory branches,
      WalHistory.Source histories,
      MeterRegistry meters) {
    this.config = config;
    this.metrics = new SenderMetrics(meters, this::senders);
    this.seats = new Seats(MAX_LOGINS, config.maxSenders());
    ScramVerifier verifier = ScramVerifier.of(config.token());
    var random = new SecureRandom();
    this.services =
        new SenderSession.Services(
            config,
            branches,
            histories,
            () ->
                new ScramExchange(verifier, false, () -> ScramFunctions.nonce(NONCE_CHARS, random)),
            seats,
            metrics,
            Clock.systemUTC());
    this.server = listen(config);
    log.info("standbys are served on port {} of {}", server.getLocalPort(), config.host());
    Thread.ofPlatform().daemon().name("wal-sender").start(this::accept);
    Thread.ofPlatform().daemon().name("wal-sender-watch").start(this::watch);
  }

  private static ServerSocket listen(WalSenderConfig config) {
    try {
      InetAddress host = InetAddress.getByName(config.host());
      try {
        return bind(host, config.port());
      } catch (BindException e) {
        if (config.orAnyPort()) {
          return bind(host, 0);
        }
        throw e;
      }
    } catch (IOException e) {
      throw new EbbException.Unavailable(
          "the WAL sender cannot listen on port "
              + config.port()
              + " of "
              + config.host()
              + ": "
              + e.getMessage(),
          e);
    }
  }

  private static ServerSocket bind(InetAddress host, int port) throws IOException {
    var server = new ServerSocket();
    try {
      server.setReuseAddress(true);
      server.bind(new InetSocketAddress(host, port), BACKLOG);
      return server;
    } catch (IOException e) {
      server.close();
      throw e;
    }
  }

  /** Where it listens. */
  public int port() {
    return server.getLocalPort();
  }

  /** The address at which it is reached; of all addresses of the machine, the machine's own. */
  public String host() {
    InetAddress bound = server.getInetAddress();
    if (!bound.isAnyLocalAddress()) {
      return config.host();
    }
    try {
      return InetAddress.getLocalHost().getHostAddress();
    } catch (UnknownHostException e) {
      return InetAddress.getLoopbackAddress().getHostAddress();
    }
  }

  /** Those who stream now. */
  public List<SenderStatus> senders() {
    return seats.all().stream()
        .map(session -> session.state().status())
        .filter(Objects::nonNull)
        .map(Objects::requireNonNull)
        .toList();
  }

  /** Ends every stream of a branch that is dropped. */
  public void drop(BranchId branch) {
    for (SenderSession session : seats.all()) {
      ServedBranch served = session.state().branch();
      if (served != null && served.id().equals(branch)) {
        session.end(Streaming.Finish.DROPPED);
      }
    }
  }

  private void accept() {
    while (!closed) {
      try {
        take(server.accept());
      } catch (IOException | RuntimeException | Error e) {
        // An error, too, such as a thread that cannot be made: others are to be served later.
        if (!closed) {
          log.warn("a connection could not be accepted: {}", e.toString());
          LockSupport.parkNanos(WATCH.toNanos());
        }
      }
    }
  }

  private void take(Socket socket) {
    try {
      socket.setTcpNoDelay(true);
      socket.setKeepAlive(true);
      var session = new SenderSession(socket, services);
      if (seats.enter(session)) {
        metrics.loginCrowdedOut();
      }
      Thread.ofVirtual()
          .name("wal-session-" + socket.getRemoteSocketAddress())
          .start(() -> {
            try {
              session.run();
            } finally {
              seats.leave(session, session.isAdmitted());
            }
          });
      if (closed) {
        session.close();
      }
    } catch (IOException e) {
      log.debug("a connection was lost at once", e);
      close(socket);
    }
  }

  private static void close(@Nullable Socket socket) {
    try {
      if (socket != null) {
        socket.close();
      }
    } catch (IOException e) {
      log.debug("a connection did not close", e);
    }
  }

  /** Ends connections whose clients have gone silent: a blocked write does not notice by itself. */
  private void watch() {
    long refreshed = System.nanoTime();
    while (!closed) {
      LockSupport.parkNanos(WATCH.toNanos());
      for (SenderSession session : seats.all()) {
        if (session.loginNanos() > LOGIN_TIMEOUT.toNanos()) {
          session.close();
        } else if (session.state().isStreaming()
            && session.state().silence().compareTo(config.timeout()) > 0) {
          log.info("terminating the stream to {}: it is silent", session.state().client);
          session.close();
        }
      }
      if (System.nanoTime() - refreshed > REFRESH.toNanos()) {
        refreshed = System.nanoTime();
        metrics.refresh();
      }
    }
  }

  /** Says goodbye to those who stream, and ends every connection. */
  @Override
  public void close() {
    closed = true;
    try {
      server.close();
    } catch (IOException e) {
      log.debug("the WAL sender's port did not close", e);
    }
    seats.all().forEach(session -> session.end(Streaming.Finish.SHUTDOWN));
    long deadline = System.nanoTime() + GOODBYE.toNanos();
    while (!seats.all().isEmpty() && System.nanoTime() - deadline < 0) {
      LockSupport.parkNanos(Duration.ofMillis(5).toNanos());
    }
    seats.all().forEach(SenderSession::close);
    while (!seats.all().isEmpty() && System.nanoTime() - deadline < GOODBYE.toNanos()) {
      LockSupport.parkNanos(Duration.ofMillis(5).toNanos());
    }
  }
}
