package dev.ebb.launcher.up;

import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.http.HttpServerRequest;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;

/**
 * {@code /metrics}, {@code /healthz/live} and {@code /healthz/ready} of a process that runs one
 * service. No token: nothing here is secret, and it listens where it is told to.
 */
final class HealthEndpoint extends VerticleBase {
  private static final String PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

  private final String host;
  private final int port;
  private final PrometheusMeterRegistry meters;
  private final BooleanSupplier ready;

  /**
   * @param ready asked on a worker thread
   */
  HealthEndpoint(String host, int port, PrometheusMeterRegistry meters, BooleanSupplier ready) {
    this.host = host;
    this.port = port;
    this.meters = meters;
    this.ready = ready;
  }

  @Override
  public Future<?> start() {
    return vertx.createHttpServer().requestHandler(this::answer).listen(port, host);
  }

  private void answer(HttpServerRequest request) {
    switch (String.valueOf(request.path())) {
      case "/metrics" -> {
        request.response().putHeader("Content-Type", PROMETHEUS);
        finish(request, 200, meters::scrape);
      }
      case "/healthz/live" -> request.response().end("live\n");
      case "/healthz/ready" -> {
        Callable<Boolean> question = ready::getAsBoolean;
        vertx
            .executeBlocking(question)
            .onComplete(answer -> {
              boolean isReady = answer.succeeded() && Boolean.TRUE.equals(answer.result());
              request.response().setStatusCode(isReady ? 200 : 503);
              request.response().end(isReady ? "ready\n" : "not ready\n");
            });
      }
      default -> request.response().setStatusCode(404).end("not found\n");
    }
  }

  private void finish(HttpServerRequest request, int status, Callable<String> body) {
    vertx
        .executeBlocking(body)
        .onSuccess(text -> request.response().setStatusCode(status).end(text))
        .onFailure(error -> request.response().setStatusCode(500).end());
  }
}
