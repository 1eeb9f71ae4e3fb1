package dev.ebb.gateway;

import dev.ebb.gateway.pool.Pools;
import dev.ebb.gateway.session.ClientSession;
import dev.ebb.gateway.session.SessionServices;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.net.NetSocketInternal;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetClientOptions;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.NetSocket;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Accepts connections on one event loop, where their backends' connections are made as well. */
final class GatewayListener extends VerticleBase {
  private static final long STOP_TIMEOUT_MS = 3_000;
  private static final int ACCEPT_BACKLOG = 4_096;
  private static final long LONGER_THAN_ANY_DRAIN_DAYS = 30;
  private static final int BACKEND_CONNECT_TIMEOUT_MS = 5_000;

  private final SessionServices services;
  private final Pools.@Nullable Shared shared;
  private final GatewayService.Opening opening;
  private volatile int port;
  private @Nullable NetServer server;
  private @Nullable Pools pools;

  /**
   * @param shared where clients share connections; null where each has its own
   */
  GatewayListener(
      SessionServices services, GatewayService.Opening opening, Pools.@Nullable Shared shared) {
    this.services = services;
    this.shared = shared;
    this.opening = opening;
  }

  int port() {
    return port;
  }

  @Override
  public Future<?> start() {
    NetClient backends =
        vertx.createNetClient(
            new NetClientOptions()
                .setTcpNoDelay(true)
                .setTcpKeepAlive(true)
                .setConnectTimeout(BACKEND_CONNECT_TIMEOUT_MS));
    if (shared != null) {
      pools = new Pools(shared, ((ContextInternal) context).nettyEventLoop());
    }
    Pools own = pools;
    return vertx
        .createNetServer(
            new NetServerOptions()
                .setTcpNoDelay(true)
                .setTcpKeepAlive(true)
                .setReusePort(opening.sharePort())
                .setAcceptBacklog(ACCEPT_BACKLOG))
        .connectHandler(socket -> accepted(socket, backends, own))
        .listen(opening.bind(), opening.host())
        .recover(error -> Future.failedFuture(cannotListen(error)))
        .onSuccess(listening -> {
          server = listening;
          port = listening.actualPort();
        });
  }

  private void accepted(NetSocket socket, NetClient backends, @Nullable Pools own) {
    var opened = (NetSocketInternal) socket;
    if (opening.handOver().isProbe(opened.channelHandlerContext().channel().remoteAddress())) {
      var _ = socket.close();
      return;
    }
    new ClientSession(services, backends, (ContextInternal) vertx.getOrCreateContext(), opened, own)
        .start();
  }

  /** Accepts no more connections; those that there are stay. On any thread. */
  void close() {
    context.runOnContext(now -> {
      NetServer listening = server;
      if (listening != null) {
        var _ = listening.shutdown(LONGER_THAN_ANY_DRAIN_DAYS, TimeUnit.DAYS);
      }
    });
  }

  /** Ends all the gateway's sessions, not only this loop's: Vert.x stops listeners before it. */
  @Override
  public Future<?> stop() {
    return services
        .live()
        .stop()
        .timeout(STOP_TIMEOUT_MS, TimeUnit.MILLISECONDS)
        .otherwiseEmpty()
        .onComplete(ended -> {
          Pools own = pools;
          if (own != null) {
            own.close();
          }
        });
  }

  private IllegalStateException cannotListen(@Nullable Throwable error) {
    return new IllegalStateException(
        "cannot listen on "
            + opening.host()
            + ":"
            + opening.bind()
            + " for PostgreSQL clients ("
            + (error == null ? "" : error.getMessage())
            + "): choose another port with --port",
        error);
  }
}
