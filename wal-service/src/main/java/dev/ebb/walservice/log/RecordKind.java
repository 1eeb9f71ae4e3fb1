package dev.ebb.walservice.log;

import java.util.Arrays;
import java.util.Optional;

/** What a record of a branch's topic is; the tags are part of the format. */
public enum RecordKind {
  /** From here on a new term; carries nothing else. */
  FENCE(1),
  /** The term's WAL goes on from the record's LSN and overrides what was there. */
  START(2),
  /** WAL bytes from the record's LSN on. */
  WAL(3);

  private final int tag;

  RecordKind(int tag) {
    this.tag = tag;
  }

  public int tag() {
    return tag;
  }

  /** The kind that has a tag; empty for one that this Ebb does not know. */
  public static Optional<RecordKind> ofTag(int tag) {
    return Arrays.stream(values()).filter(kind -> kind.tag == tag).findAny();
  }
}
