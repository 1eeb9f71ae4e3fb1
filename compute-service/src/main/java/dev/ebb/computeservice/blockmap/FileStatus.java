package dev.ebb.computeservice.blockmap;

import dev.ebb.shared.page.FileKey;

/**
 * One file of the block map, as it was at one moment.
 *
 * @param entry its place in the map; never changes
 * @param key its name
 * @param incarnation changes whenever the name is unlinked or made again
 * @param phase where it is in its life
 * @param blocks its size; may run ahead of a write that is under way or has failed
 * @param ofSnapshot whether this incarnation came with the snapshot that the map was made from
 * @param touched whether some block became dirty since the last capture looked
 * @param sizeChanged whether its size ever changed, or it was made or unlinked, since the start
 */
public record FileStatus(
    int entry,
    FileKey key,
    int incarnation,
    Phase phase,
    int blocks,
    boolean ofSnapshot,
    boolean touched,
    boolean sizeChanged) {

  /** The phases of an entry; those that end in -ING belong to the process that set them. */
  public enum Phase {
    VIRTUAL(0),
    MATERIALISING(1),
    LIVE(2),
    UNLINKING(3),
    UNLINKED(4),
    CREATING(5),
    TRUNCATING(6);

    private final int code;

    Phase(int code) {
      this.code = code;
    }

    static Phase ofCode(int code) {
      return switch (code) {
        case 0 -> VIRTUAL;
        case 1 -> MATERIALISING;
        case 2 -> LIVE;
        case 3 -> UNLINKING;
        case 4 -> UNLINKED;
        case 5 -> CREATING;
        case 6 -> TRUNCATING;
        default -> throw new IllegalStateException("the arena holds an unknown phase: " + code);
      };
    }

    int code() {
      return code;
    }

    /** Whether no process is changing the entry. */
    public boolean settled() {
      return this == VIRTUAL || this == LIVE || this == UNLINKED;
    }
  }
}
