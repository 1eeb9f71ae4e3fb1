package dev.ebb.gateway.session;

import dev.ebb.gateway.cancel.CancelKeys;
import dev.ebb.gateway.pool.Backend;
import dev.ebb.gateway.pool.Pool;
import dev.ebb.gateway.pool.PoolKey;
import dev.ebb.gateway.pool.PooledClient;
import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.SqlState;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.net.NetClient;
import java.util.HashMap;
import java.util.Optional;

/** What a client that shares connections brings along: how they are opened. */
final class PoolMembership {
  private static final String APPLICATION_NAME = "application_name";

  private final SessionServices services;
  private final NetClient backends;
  private final ContextInternal context;
  private final Login login;
  private final String applicationName;

  PoolMembership(
      SessionServices services, NetClient backends, ContextInternal context, Login login) {
    this.services = services;
    this.backends = backends;
    this.context = context;
    this.login = login.without(APPLICATION_NAME);
    this.applicationName = login.asked().parameters().getOrDefault(APPLICATION_NAME, "");
  }

  /** Only who would open the same connection shares it, but for the application's name. */
  PoolKey key() {
    var parameters = new HashMap<>(login.asked().parameters());
    parameters.remove("user");
    parameters.remove("database");
    return new PoolKey(login.branch(), login.user(), login.address().toString(), parameters);
  }

  String applicationName() {
    return applicationName;
  }

  /** Opens a connection, for which the branch is woken. */
  Future<Pool.Opened> open() {
    return new BackendAttempt(services, context, backends, login)
        .start()
        .map(connected -> {
          if (connected.started()) {
            services.meters().woken();
          }
          return opened(connected);
        })
        .recover(error ->
            Future.failedFuture(
                error instanceof Refusal refusal
                        && refusal.error().sqlState().equals(SqlState.TOO_MANY_CONNECTIONS)
                    ? new Pool.RefusedByCompute(
                        refusal.error().sqlState(), refusal.error().message())
                    : error));
  }

  private static Pool.Opened opened(BackendAttempt.Connected connected) {
    Target compute = connected.compute();
    BackendLogin.Ready ready = connected.backend();
    return new Pool.Opened(
        new Backend(
            compute.address(), compute.port(), ready.key(), compute.generation(), compute::leave),
        ready.socket().channelHandlerContext().channel(),
        ready.greeting());
  }

  /** What a client is told of an attempt that failed. */
  static ErrorResponse told(Throwable error) {
    return error instanceof Pool.RefusedByCompute refused
        ? ErrorResponse.fatal(SqlState.TOO_MANY_CONNECTIONS, String.valueOf(refused.getMessage()))
        : Refusal.of("cannot connect", error).error();
  }

  /** The client, as a cancel request finds it. */
  static CancelKeys.Session cancellable(PooledClient client) {
    return new CancelKeys.Session() {
      @Override
      public Future<Optional<CancelKeys.Target>> hold() {
        Promise<Optional<CancelKeys.Target>> held = Promise.promise();
        client.onLoop(() -> {
          Backend backend = client.running();
          if (backend != null) {
            client.hold();
          } else {
            client.cancelWaiting();
          }
          held.complete(
              Optional.ofNullable(backend)
                  .map(to -> new CancelKeys.Target(to.host(), to.port(), to.key())));
        });
        return held.future();
      }

      @Override
      public void letGo() {
        client.onLoop(client::letGo);
      }
    };
  }
}
