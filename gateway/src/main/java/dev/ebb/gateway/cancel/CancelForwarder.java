package dev.ebb.gateway.cancel;

import dev.ebb.gateway.protocol.CancelRequest;
import dev.ebb.gateway.tls.ComputeConnector;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.util.ReferenceCountUtil;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.net.NetSocketInternal;
import io.vertx.core.net.NetClient;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/** Passes cancel requests on to the backends that they are for. */
public final class CancelForwarder {
  private static final long TIMEOUT_MS = 5_000;

  private final Vertx vertx;
  private final CancelKeys keys;
  private final ComputeConnector connector;
  private final Counter forwarded;
  private final Counter ignored;

  public CancelForwarder(
      Vertx vertx, CancelKeys keys, ComputeConnector connector, MeterRegistry meters) {
    this.connector = connector;
    this.vertx = vertx;
    this.keys = keys;
    this.forwarded = counter(meters, "forwarded");
    this.ignored = counter(meters, "ignored");
  }

  private static Counter counter(MeterRegistry meters, String outcome) {
    return Counter.builder("ebb.gateway.cancels")
        .description("Cancel requests, by whether their key was right")
        .tag("outcome", outcome)
        .register(meters);
  }

  /**
   * Forwards a request whose key is right and ignores any other. Completes when the backend has
   * taken it, so that a client which waits for the end of its connection knows as much as it would
   * from PostgreSQL; never fails.
   */
  public Future<Void> forward(NetClient client, CancelRequest request) {
    return keys.find(request)
        .map(session -> {
          forwarded.increment();
          return session.hold().compose(target -> forward(client, session, target));
        })
        .orElseGet(() -> {
          ignored.increment();
          return Future.succeededFuture();
        });
  }

  private Future<Void> forward(
      NetClient client, CancelKeys.Session session, Optional<CancelKeys.Target> target) {
    var over = new AtomicBoolean();
    return target
        .map(backend ->
            connector
                .connect(
                    (ContextInternal) vertx.getOrCreateContext(),
                    client,
                    backend.host(),
                    backend.port())
                .compose(socket -> over.get() ? socket.close() : send(socket, backend))
                .timeout(TIMEOUT_MS, TimeUnit.MILLISECONDS)
                .onComplete(done -> {
                  over.set(true);
                  session.letGo();
                })
                .otherwiseEmpty())
        .orElseGet(Future::succeededFuture);
  }

  private Future<Void> send(NetSocketInternal socket, CancelKeys.Target target) {
    Promise<Void> closed = Promise.promise();
    long timer = vertx.setTimer(TIMEOUT_MS, fired -> socket.close());
    socket.closeHandler(gone -> {
      vertx.cancelTimer(timer);
      closed.tryComplete();
    });
    socket.exceptionHandler(error -> socket.close());
    socket.messageHandler(ReferenceCountUtil::release);
    return socket.write(target.key().cancelRequest().encode()).compose(sent -> closed.future());
  }
}
