package dev.ebb.scalerservice.decide;

import dev.ebb.shared.bus.ScalerMessage.Action;
import dev.ebb.shared.model.BranchId;

/**
 * Something to be done.
 *
 * @param onlyIfIdleMs what the compute checks again before it stops
 * @param reason in words
 * @param inputs the figures that it was decided on, in words
 */
public record Decision(
    BranchId branch, Action action, long onlyIfIdleMs, String reason, String inputs) {}
