package dev.ebb.gateway.listen;

import io.vertx.core.Vertx;
import io.vertx.core.internal.VertxInternal;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Leaves a port to another process that listens on it as well.
 *
 * <p>Closing a listening socket resets the connections that wait to be accepted there, and those
 * whose handshake goes on ({@code inet_csk_listen_stop} in Linux's {@code
 * net/ipv4/inet_connection_sock.c}), unless {@code net.ipv4.tcp_migrate_req} is set. So the kernel
 * is told first to give new connections to other sockets only; this process accepts for a moment
 * longer what it was given before, and only then closes. For any thread.
 */
public final class HandOver {
  private static final Logger log = LoggerFactory.getLogger(HandOver.class);
  private static final int PROBE_TIMEOUT_MS = 2_000;
  private static final int PROBES = 8;
  private static final byte[] SSL_REQUEST = {0, 0, 0, 8, 4, (byte) 210, 22, 47};

  /** Where probes come from, and whether they were accepted here. */
  private final Map<SocketAddress, Boolean> probes = new ConcurrentHashMap<>();

  /** Who took a connection. */
  private enum Answer {
    OWN,
    OTHER,
    NONE
  }

  /** Whether a listener of this Vert.x can share its port. */
  public static boolean isPossible(Vertx vertx) {
    return vertx.isNativeTransportEnabled()
        || ((VertxInternal) vertx).transport() instanceof SharedPortTransport;
  }

  /**
   * Whether a connection that was accepted here is one of those by which this asks where they go:
   * it is to be closed at once.
   *
   * @param from null where it is not known any more
   */
  public boolean isProbe(@Nullable SocketAddress from) {
    return from != null && probes.computeIfPresent(from, (address, before) -> true) != null;
  }

  /**
   * To be called by who has begun to listen: what the kernel was told by others before, who may
   * have left since, is over. Blocks for some milliseconds.
   */
  public void begin(String host, int port) {
    try {
      ListeningSockets.withOwn(host, port).ifPresent(sockets -> SocketFilter.detach(sockets.own()));
    } catch (IOException | RuntimeException e) {
      log.warn("port {} may be left to other processes only: {}", port, e.toString());
    }
  }

  /**
   * Has the kernel give new connections to other processes that answer on the port. Blocks for some
   * milliseconds.
   *
   * @return false: there is none, or the kernel cannot be told
   */
  public boolean leave(String host, int port) {
    try {
      Optional<ListeningSockets> found = ListeningSockets.withOwn(host, port);
      if (found.isEmpty() || found.get().count() < 2) {
        return false;
      }
      int own = found.get().own();
      int count = found.get().count();
      InetSocketAddress address = reachable(host, port);
      for (int place = 0; place < count; place++) {
        if (SocketFilter.prefer(own, place) && probe(address) == Answer.OWN) {
          if (SocketFilter.avoid(own, place, count) && isLeft(address)) {
            log.info("new connections to port {} go to other gateways from now on", port);
            return true;
          }
          break;
        }
      }
      SocketFilter.detach(own);
    } catch (IOException | RuntimeException e) {
      log.warn("port {} cannot be left to another process: {}", port, e.toString());
    }
    return false;
  }

  /** Whether new connections still go to others: somebody may have told the kernel otherwise. */
  public boolean isLeft(String host, int port) {
    try {
      return isLeft(reachable(host, port));
    } catch (IOException e) {
      return false;
    }
  }

  private boolean isLeft(InetSocketAddress address) {
    for (int i = 0; i < PROBES; i++) {
      if (probe(address) != Answer.OTHER) {
        return false;
      }
    }
    return true;
  }

  private static InetSocketAddress reachable(String host, int port) throws IOException {
    InetAddress address = InetAddress.getByName(host);
    return address.isAnyLocalAddress()
        ? new InetSocketAddress(InetAddress.getLoopbackAddress(), port)
        : new InetSocketAddress(address, port);
  }

  /** A gateway answers the request for TLS with one byte; this one closes its own probes unread. */
  private Answer probe(InetSocketAddress address) {
    try (var probe = new Socket()) {
      probe.bind(new InetSocketAddress(address.getAddress(), 0));
      SocketAddress from = probe.getLocalSocketAddress();
      probes.put(from, false);
      boolean isOwn;
      try {
        probe.setSoTimeout(PROBE_TIMEOUT_MS);
        probe.connect(address, PROBE_TIMEOUT_MS);
        probe.getOutputStream().write(SSL_REQUEST);
        if (probe.getInputStream().read() >= 0) {
          return Answer.OTHER;
        }
      } catch (IOException e) {
        log.debug("a probe of {} failed: {}", address, e.toString());
      } finally {
        isOwn = Boolean.TRUE.equals(probes.remove(from));
      }
      return isOwn ? Answer.OWN : Answer.NONE;
    } catch (IOException e) {
      return Answer.NONE;
    }
  }
}
