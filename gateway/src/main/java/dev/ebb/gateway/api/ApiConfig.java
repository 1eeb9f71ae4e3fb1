package dev.ebb.gateway.api;

import dev.ebb.shared.model.Secret;
import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * How the HTTP API listens.
 *
 * @param port 0 for any free one
 * @param token what clients must show for everything under {@code /v1}
 * @param readiness what {@code /healthz/ready} asks, every time that it is asked
 */
public record ApiConfig(String host, int port, Secret token, List<ReadinessCheck> readiness) {
  private static final int MIN_TOKEN_CHARS = 16;

  /**
   * One part of being ready.
   *
   * @param name shown in the answer
   * @param check fails, or does not complete in 2 s, where the part is not ready
   */
  public record ReadinessCheck(String name, Supplier<? extends Future<?>> check) {}

  public ApiConfig {
    readiness = List.copyOf(readiness);
    var wrong = new ArrayList<String>();
    if (host.isBlank()) {
      wrong.add("the API's host is empty");
    }
    if (port < 0 || port > 65535) {
      wrong.add("the API's port must be 0 to 65535, not " + port);
    }
    if (token.reveal().length() < MIN_TOKEN_CHARS) {
      wrong.add("the API's token must have at least " + MIN_TOKEN_CHARS + " characters");
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", wrong));
    }
  }
}
