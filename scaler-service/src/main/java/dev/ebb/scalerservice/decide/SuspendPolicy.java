package dev.ebb.scalerservice.decide;

import dev.ebb.shared.model.ComputeStatus;
import java.util.Map;

/**
 * When an idle compute is suspended.
 *
 * @param idleTimeoutMs for branches that {@code overrides} does not name; 0 is never
 * @param overrides idle timeouts in ms by {@code database@branch}; 0 is never
 */
public record SuspendPolicy(long idleTimeoutMs, Map<String, Long> overrides) {
  public SuspendPolicy {
    if (idleTimeoutMs < 0 || overrides.values().stream().anyMatch(ms -> ms < 0)) {
      throw new IllegalArgumentException("an idle timeout is never negative; 0 is never");
    }
    overrides = Map.copyOf(overrides);
  }

  /** One idle timeout for all. */
  public static SuspendPolicy of(long idleTimeoutMs) {
    return new SuspendPolicy(idleTimeoutMs, Map.of());
  }

  /** For this compute; 0 while its host has not read its name yet, which may have an override. */
  long idleTimeoutMs(ComputeStatus compute) {
    if (compute.databaseName().isEmpty() && !overrides.isEmpty()) {
      return 0;
    }
    return overrides.getOrDefault(
        compute.databaseName() + "@" + compute.branchName(), idleTimeoutMs);
  }
}
