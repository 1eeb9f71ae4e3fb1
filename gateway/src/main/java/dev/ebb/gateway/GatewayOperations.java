package dev.ebb.gateway;

import dev.ebb.shared.model.Secret;
import org.jspecify.annotations.Nullable;

/**
 * How a gateway is looked after.
 *
 * @param adminToken the password of the admin console; null: there is no console
 * @param drainTimeoutMs how long running transactions may go on when the gateway is to stop; 0: not
 *     at all
 * @param sharePort whether another gateway may listen on the same ports, to take them over
 */
public record GatewayOperations(
    @Nullable Secret adminToken, long drainTimeoutMs, boolean sharePort) {
  /** What holds where nothing is configured. */
  public static final GatewayOperations DEFAULTS = new GatewayOperations(null, 30_000, false);

  public GatewayOperations {
    if (drainTimeoutMs < 0) {
      throw new IllegalArgumentException("the gateway's drain timeout cannot be negative");
    }
  }
}
