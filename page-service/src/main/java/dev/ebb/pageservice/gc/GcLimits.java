package dev.ebb.pageservice.gc;

/**
 * What collection and compaction may do.
 *
 * @param graceMs how old an object must be to be collected, by the store's clock
 * @param windowMs how far back a point-in-time branch reaches
 * @param packBytes a new pack is written once it takes so much
 * @param maxCopyBytes how much a compaction copies for one branch at a time
 */
public record GcLimits(long graceMs, long windowMs, int packBytes, long maxCopyBytes) {}
