package dev.ebb.pageservice.gc;

/**
 * What collection and compaction may do.
 *
 * @param graceMs how old an object must be to be collected, by the store's clock
 * @param windowMs how far back a point-in-time branch reaches
 * @param packBytes a new pack is written once it takes so much
 * @param maxCopyBytes how much a compaction copies for one branch at a time
 */
public record GcLimits(long graceMs, long windowMs, int packBytes, long maxCopyBytes) {

  /**
   * How far back what a head lists is kept. Longer than the window by more than a commit may lag
   * behind its composition: what it lists of its base's history must not have expired since.
   */
  public long keptMs() {
    return windowMs + graceMs;
  }
}
