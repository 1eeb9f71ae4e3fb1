package dev.ebb.shared.model;

/**
 * The identity of a branch: names its topic, its objects and its head.
 *
 * @param value lower-case letters and digits, at most 40; never reused
 */
public record BranchId(String value) {
  public BranchId {
    Names.requireId("branch id", value);
  }

  public static BranchId random() {
    return new BranchId(Names.randomId());
  }

  @Override
  public String toString() {
    return value;
  }
}
