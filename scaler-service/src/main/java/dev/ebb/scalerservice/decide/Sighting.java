package dev.ebb.scalerservice.decide;

import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.HostId;

/**
 * A compute as its host announced it.
 *
 * @param leaving whether the host is stopping, and suspends its computes by itself
 * @param seenMs when the announcement came in, on the scaler's own monotonic clock
 */
public record Sighting(HostId host, boolean leaving, ComputeStatus status, long seenMs) {}
