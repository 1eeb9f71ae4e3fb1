package dev.ebb.pageservice.capture;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.SnapshotId;

/**
 * What a capture works on.
 *
 * @param baseKey a manifest of the snapshot that it builds on, or empty for none
 * @param headKey the branch's newest manifest when it was opened; empty for a template
 * @param collectedBefore of the head when it was opened
 */
record CaptureIdentity(
    SnapshotId snapshot,
    BranchId branch,
    Generation generation,
    String baseKey,
    String headKey,
    long collectedBefore,
    long openedMs) {
  /** A template has no head. */
  boolean hasHead() {
    return !generation.equals(Generation.NONE);
  }
}
