package dev.ebb.gateway.api;

import dev.ebb.shared.model.Secret;
import io.vertx.core.Handler;
import io.vertx.core.http.HttpHeaders;
import io.vertx.ext.web.RoutingContext;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import org.jspecify.annotations.Nullable;

/** Lets requests through that show the token. */
final class BearerToken implements Handler<RoutingContext> {
  private static final String PREFIX = "bearer ";

  private final byte[] expected;

  BearerToken(Secret token) {
    this.expected = token.reveal().getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public void handle(RoutingContext request) {
    if (isRight(request.request().getHeader(HttpHeaders.AUTHORIZATION))) {
      request.next();
    } else {
      request.fail(401);
    }
  }

  private boolean isRight(@Nullable String header) {
    return header != null
        && header.regionMatches(true, 0, PREFIX, 0, PREFIX.length())
        && MessageDigest.isEqual(
            header.substring(PREFIX.length()).strip().getBytes(StandardCharsets.UTF_8), expected);
  }
}
