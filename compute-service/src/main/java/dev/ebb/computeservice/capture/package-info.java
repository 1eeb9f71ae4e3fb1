/**
 * Turns the dirty blocks since the last snapshot into a new snapshot: of a running compute, or of
 * one that has stopped cleanly.
 */
@NullMarked
package dev.ebb.computeservice.capture;

import org.jspecify.annotations.NullMarked;
