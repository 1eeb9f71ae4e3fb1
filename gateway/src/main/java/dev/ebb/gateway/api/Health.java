package dev.ebb.gateway.api;

import dev.ebb.gateway.api.ApiConfig.ReadinessCheck;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.RoutingContext;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Whether the process lives, and whether it is ready for work. */
final class Health {
  private static final long CHECK_TIMEOUT_MS = 2_000;

  private final Vertx vertx;
  private final List<ReadinessCheck> checks;

  Health(Vertx vertx, List<ReadinessCheck> checks) {
    this.vertx = vertx;
    this.checks = checks;
  }

  /** What a check found; empty where it is ready. */
  private record Finding(String name, String problem) {}

  void live(RoutingContext request) {
    send(request, 200, new JsonObject().put("status", "UP"));
  }

  void ready(RoutingContext request) {
    Future.join(checks.stream().map(this::run).toList())
        .onComplete(done -> {
          var parts = new JsonObject();
          boolean ready = true;
          for (Object result : done.result().list()) {
            var finding = (Finding) result;
            ready &= finding.problem().isEmpty();
            parts.put(finding.name(), finding.problem().isEmpty() ? "UP" : finding.problem());
          }
          send(
              request,
              ready ? 200 : 503,
              new JsonObject().put("status", ready ? "UP" : "DOWN").put("checks", parts));
        });
  }

  /** Never fails. */
  private Future<Finding> run(ReadinessCheck check) {
    var context = (ContextInternal) vertx.getOrCreateContext();
    var found = context.<Object>promise();
    try {
      check.check().get().onComplete(ok -> found.tryComplete(), found::tryFail);
    } catch (RuntimeException e) {
      found.tryFail(e);
    }
    return found
        .future()
        .timeout(CHECK_TIMEOUT_MS, TimeUnit.MILLISECONDS)
        .map(ok -> new Finding(check.name(), ""))
        .otherwise(error -> new Finding(check.name(), "DOWN: " + error.getMessage()));
  }

  private static void send(RoutingContext request, int status, JsonObject body) {
    request.response().setStatusCode(status);
    ApiRouter.send(request, body);
  }
}
