package dev.ebb.gateway.listen;

import io.vertx.core.Vertx;
import io.vertx.core.internal.VertxInternal;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Leaves a port to another process that listens on it as well.
 *
 * <p>Closing a listening socket resets the connections that wait to be accepted there, and those
 * whose handshake goes on ({@code inet_csk_listen_stop} in Linux's {@code
 * net/ipv4/inet_connection_sock.c}), unless {@code net.ipv4.tcp_migrate_req} is set. So the kernel
 * is told first to give new connections to the other socket only; this process accepts for a moment
 * longer what it was given before, and only then closes. For any thread.
 */
public final class HandOver {
  private static final Logger log = LoggerFactory.getLogger(HandOver.class);
  private static final int PROBE_TIMEOUT_MS = 2_000;
  private static final int HASH = Integer.MAX_VALUE;
  private static final byte[] SSL_REQUEST = {0, 0, 0, 8, 4, (byte) 210, 22, 47};

  private final Set<Integer> probes = ConcurrentHashMap.newKeySet();

  /** Whether a listener of this Vert.x can share its port. */
  public static boolean isPossible(Vertx vertx) {
    return vertx.isNativeTransportEnabled()
        || ((VertxInternal) vertx).transport() instanceof SharedPortTransport;
  }

  /**
   * Whether a connection that was accepted here is one of those by which this asks where they go:
   * it is to be closed at once.
   */
  public boolean isProbe(int remotePort) {
    return probes.contains(remotePort);
  }

  /**
   * Has the kernel give new connections to another process that answers on the port. Blocks for
   * some milliseconds.
   *
   * @return false: there is none, or the kernel cannot be told
   */
  public boolean leave(String host, int port) {
    try {
      ListeningSockets sockets = ListeningSockets.on(port);
      Optional<Integer> own = sockets.own();
      if (sockets.count() < 2 || own.isEmpty()) {
        return false;
      }
      InetSocketAddress address = reachable(host, port);
      for (int place = 0; place < sockets.count(); place++) {
        if (SocketFilter.prefer(own.get(), place) && isAnsweredElsewhere(address)) {
          log.info("new connections to port {} go to the other gateway from now on", port);
          return true;
        }
      }
      SocketFilter.prefer(own.get(), HASH);
    } catch (IOException | RuntimeException e) {
      log.warn("port {} cannot be left to another process: {}", port, e.toString());
    }
    return false;
  }

  private static InetSocketAddress reachable(String host, int port) throws IOException {
    InetAddress address = InetAddress.getByName(host);
    return address.isAnyLocalAddress()
        ? new InetSocketAddress(InetAddress.getLoopbackAddress(), port)
        : new InetSocketAddress(address, port);
  }

  /** A gateway answers the request for TLS with one byte; this one closes its own probes unread. */
  private boolean isAnsweredElsewhere(InetSocketAddress address) {
    try (var probe = new Socket()) {
      probe.bind(new InetSocketAddress(0));
      int from = probe.getLocalPort();
      probes.add(from);
      try {
        probe.setSoTimeout(PROBE_TIMEOUT_MS);
        probe.connect(address, PROBE_TIMEOUT_MS);
        probe.getOutputStream().write(SSL_REQUEST);
        return probe.getInputStream().read() >= 0;
      } finally {
        probes.remove(from);
      }
    } catch (IOException e) {
      return false;
    }
  }
}
