package dev.ebb.shared.model;

/**
 * The identity of one replica; a new one at every start.
 *
 * @param value lower-case letters and digits, at most 40; never reused
 */
public record ReplicaId(String value) {
  public ReplicaId {
    Names.requireId("replica id", value);
  }

  public static ReplicaId random() {
    return new ReplicaId(Names.randomId());
  }

  @Override
  public String toString() {
    return value;
  }
}
