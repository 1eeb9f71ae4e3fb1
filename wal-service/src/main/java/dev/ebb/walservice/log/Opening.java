package dev.ebb.walservice.log;

import dev.ebb.shared.model.Lsn;

/**
 * How a writer finds where its term starts.
 *
 * @param floor the log must reach this position; when {@code closed}, it ends there
 * @param closed a clean suspend left the log ending at {@code floor}
 * @param hint an offset of a record known to be valid, from which on reading is enough, or -1
 * @param neededFrom the history must be read from this position on where the log has it: reading
 *     from the hint starts over at the topic's beginning otherwise
 */
public record Opening(Lsn floor, boolean closed, long hint, Lsn neededFrom) {

  /**
   * For the first writer of a generation that starts from a snapshot.
   *
   * @param redo where recovery from it begins; of a clean stop, which needs none: its checkpoint
   *     record
   * @param end of the snapshot
   */
  public static Opening of(Lsn redo, Lsn end, boolean clean, boolean closed, long hint) {
    return new Opening(end, closed, hint, clean ? end : redo);
  }

  /** For a writer that takes a running primary over: it needs no more than the byte end. */
  public static Opening takeover(Lsn floor, long hint) {
    return new Opening(floor, false, hint, new Lsn(-1));
  }
}
