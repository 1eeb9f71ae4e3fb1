package dev.ebb.scalerservice.decide;

import dev.ebb.shared.model.BranchId;
import java.util.List;
import java.util.Map;

/**
 * All that a decision is made from.
 *
 * @param computes by host; a branch may be in it more than once, when it moved
 * @param heldUntilMs branches that are left alone until then: a suspend of theirs is in flight, or
 *     was answered a moment ago
 * @param inFlight suspends that were asked for and not yet answered
 */
public record View(List<Sighting> computes, Map<BranchId, Long> heldUntilMs, int inFlight) {
  public View {
    computes = List.copyOf(computes);
    heldUntilMs = Map.copyOf(heldUntilMs);
  }
}
