package dev.ebb.computeservice.blockmap;

/**
 * One block's word, decoded.
 *
 * @param presence whether its content is on the local disk
 * @param dirty whether it differs from the last captured snapshot
 * @param capturing whether a capture has read it whose manifest is not committed yet
 * @param writers processes inside their write of it
 * @param version rises with each write and eviction
 */
public record BlockState(
    Presence presence, boolean dirty, boolean capturing, int writers, int version) {

  /** Where a block's content is. */
  public enum Presence {
    ABSENT,
    FILLING,
    PRESENT
  }
}
