package dev.ebb.gateway.session;

import dev.ebb.gateway.auth.LoginRules;
import dev.ebb.gateway.auth.LoginThrottle;
import dev.ebb.gateway.cancel.CancelForwarder;
import dev.ebb.gateway.cancel.CancelKeys;
import dev.ebb.gateway.console.Console;
import dev.ebb.gateway.limit.Limits;
import dev.ebb.gateway.pool.Pauses;
import dev.ebb.gateway.relay.DatabaseTraffics;
import dev.ebb.gateway.relay.Traffic;
import dev.ebb.gateway.route.Computes;
import dev.ebb.gateway.route.ReplicaRoutes;
import dev.ebb.gateway.route.RouteCache;
import dev.ebb.gateway.tls.ComputeConnector;
import dev.ebb.gateway.tls.TlsUpgrade;
import io.vertx.core.Vertx;
import org.jspecify.annotations.Nullable;

/**
 * What all sessions of a gateway share; every part is for any thread.
 *
 * @param console null where there is no admin console
 */
public record SessionServices(
    Vertx vertx,
    SessionLimits limits,
    TlsUpgrade tls,
    LoginRules rules,
    LoginThrottle throttle,
    Limits limiter,
    RouteCache routes,
    Computes computes,
    ReplicaRoutes replicas,
    ComputeConnector connector,
    CancelKeys keys,
    CancelForwarder cancels,
    Traffic traffic,
    Admission admission,
    LiveSessions live,
    SessionMeters meters,
    DatabaseTraffics databases,
    Pauses pauses,
    @Nullable Console console) {

  /** The same with an admin console. */
  public SessionServices with(Console admin) {
    return new SessionServices(
        vertx, limits, tls, rules, throttle, limiter, routes, computes, replicas, connector, keys,
        cancels, traffic, admission, live, meters, databases, pauses, admin);
  }
}
