package dev.ebb.walservice.log;

import dev.ebb.shared.model.Generation;

/**
 * One writer's time: every attempt to open a log makes a new one, also within a generation (when
 * another instance, or the same one after trouble, takes the primary over). The newest fence of the
 * highest generation says whose term it is; only that term's records count.
 *
 * @param writer random; tells apart the terms of one generation
 */
public record Term(Generation generation, long writer) {

  /** Whether a fence of {@code other}, appended behind ours, ends our term; even a repeated one. */
  boolean isEndedBy(Term other) {
    return other.generation.compareTo(generation) >= 0;
  }

  @Override
  public String toString() {
    return generation + "/" + Long.toHexString(writer);
  }
}
