package dev.ebb.pageservice.capture;

/**
 * What captures may take.
 *
 * @param packBytes a pack is written once its records take this much
 * @param bufferBytes of all captures together: past it packs are written before they are full
 * @param idleMs after so long without a message a capture is given up
 * @param maxAgeMs a capture that takes longer does not commit: what it wrote may be collected
 * @param pitrWindowMs how far back a point-in-time branch reaches
 */
public record CaptureLimits(
    int packBytes, long bufferBytes, long idleMs, long maxAgeMs, long pitrWindowMs) {}
