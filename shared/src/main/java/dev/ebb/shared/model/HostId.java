package dev.ebb.shared.model;

/**
 * The identity of one running compute-service instance; a new one at every start.
 *
 * @param value lower-case letters and digits, at most 40; never reused
 */
public record HostId(String value) {
  public HostId {
    Names.requireId("host id", value);
  }

  public static HostId random() {
    return new HostId(Names.randomId());
  }

  @Override
  public String toString() {
    return value;
  }
}
