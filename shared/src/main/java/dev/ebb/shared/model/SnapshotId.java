package dev.ebb.shared.model;

/**
 * The identity of one snapshot of a branch.
 *
 * @param value lower-case letters and digits, at most 40; never reused
 */
public record SnapshotId(String value) {
  public SnapshotId {
    Names.requireId("snapshot id", value);
  }

  public static SnapshotId random() {
    return new SnapshotId(Names.randomId());
  }

  @Override
  public String toString() {
    return value;
  }
}
