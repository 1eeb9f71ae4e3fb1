package dev.ebb.shared.model;

/**
 * The identity of a database, which survives renaming.
 *
 * @param value lower-case letters and digits, at most 40; never reused
 */
public record DatabaseId(String value) {
  public DatabaseId {
    Names.requireId("database id", value);
  }

  public static DatabaseId random() {
    return new DatabaseId(Names.randomId());
  }

  @Override
  public String toString() {
    return value;
  }
}
