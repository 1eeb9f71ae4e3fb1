package dev.ebb.gateway.api;

import dev.ebb.shared.error.EbbException;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.HttpException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An error as {@code application/problem+json} (RFC 9457).
 *
 * @param detail what went wrong and what to do
 */
record Problem(int status, String title, String detail) {
  private static final Logger log = LoggerFactory.getLogger(Problem.class);
  private static final int RETRY_AFTER_SECONDS = 1;

  /** The one mapping of errors to HTTP. */
  static Problem of(Throwable error) {
    String message = String.valueOf(error.getMessage());
    return switch (error) {
      case EbbException known ->
          switch (known) {
            case EbbException.Invalid e -> new Problem(400, "Bad request", message);
            case EbbException.NotFound e -> new Problem(404, "Not found", message);
            case EbbException.Conflict e -> new Problem(409, "Conflict", message);
            case EbbException.Fenced e -> new Problem(409, "Taken over", message);
            case EbbException.Exhausted e -> new Problem(503, "No room", message);
            case EbbException.Unavailable e -> new Problem(503, "Unavailable", message);
            case EbbException.Corrupt e -> new Problem(500, "Damaged data", message);
          };
      case DecodeException e -> new Problem(400, "Bad request", "the body is not valid JSON");
      case HttpException e -> ofStatus(e.getStatusCode(), e.getPayload());
      default -> {
        log.error("a request failed", error);
        yield new Problem(500, "Internal error", "an error in Ebb: see its log");
      }
    };
  }

  /** For what the router refuses itself. */
  static Problem ofStatus(int status, @org.jspecify.annotations.Nullable String detail) {
    return switch (status) {
      case 400 ->
          new Problem(
              400, "Bad request", detail == null ? "the request cannot be understood" : detail);
      case 401 ->
          new Problem(
              401,
              "Unauthorized",
              "send the header \"Authorization: Bearer TOKEN\"; the token was made at the first"
                  + " start and is kept in the data directory");
      case 404 -> new Problem(404, "Not found", "no such path: see /openapi.yaml");
      case 405 -> new Problem(405, "Method not allowed", "see /openapi.yaml");
      case 413 -> new Problem(413, "Too large", "a request's body may have 64 KiB at most");
      case 415 -> new Problem(415, "Unsupported media type", "send Content-Type: application/json");
      default -> new Problem(status, "Error", detail == null ? "see /openapi.yaml" : detail);
    };
  }

  void send(RoutingContext request) {
    var response = request.response();
    if (response.ended() || response.headWritten()) {
      return;
    }
    response.setStatusCode(status).putHeader(HttpHeaders.CONTENT_TYPE, "application/problem+json");
    if (status == 503) {
      response.putHeader("Retry-After", Integer.toString(RETRY_AFTER_SECONDS));
    }
    if (status == 401) {
      response.putHeader("WWW-Authenticate", "Bearer realm=\"ebb\"");
    }
    response
        .end(
            new JsonObject()
                .put("type", "about:blank")
                .put("title", title)
                .put("status", status)
                .put("detail", detail)
                .toBuffer())
        .onFailure(gone -> log.debug("the client is gone: {}", gone.getMessage()));
  }
}
