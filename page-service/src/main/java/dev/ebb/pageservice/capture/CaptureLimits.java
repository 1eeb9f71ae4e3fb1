package dev.ebb.pageservice.capture;

/**
 * What captures may take.
 *
 * @param packBytes a pack is written once its records take this much
 * @param bufferBytes of all captures together: past it packs are written before they are full
 * @param idleMs after so long without a message a capture is given up
 */
public record CaptureLimits(int packBytes, long bufferBytes, long idleMs) {}
