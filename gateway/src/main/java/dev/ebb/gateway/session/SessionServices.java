package dev.ebb.gateway.session;

import dev.ebb.gateway.auth.LoginRules;
import dev.ebb.gateway.auth.LoginThrottle;
import dev.ebb.gateway.cancel.CancelForwarder;
import dev.ebb.gateway.cancel.CancelKeys;
import dev.ebb.gateway.limit.Limits;
import dev.ebb.gateway.relay.Traffic;
import dev.ebb.gateway.route.Computes;
import dev.ebb.gateway.route.ReplicaRoutes;
import dev.ebb.gateway.route.RouteCache;
import dev.ebb.gateway.tls.ComputeConnector;
import dev.ebb.gateway.tls.TlsUpgrade;
import io.vertx.core.Vertx;

/** What all sessions of a gateway share; every part is for any thread. */
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
    SessionMeters meters) {}
