package dev.ebb.shared.model;

/**
 * A major version of PostgreSQL. A database keeps its own for life, and so do its branches: data
 * directories of different majors have different formats.
 *
 * @param number such as 18
 */
public record PostgresMajor(int number) implements Comparable<PostgresMajor> {
  /** What a database is made with where nobody asks for another. */
  public static final PostgresMajor DEFAULT = new PostgresMajor(18);

  public PostgresMajor {
    if (number < 1) {
      throw new IllegalArgumentException("not a major version of PostgreSQL: " + number);
    }
  }

  /**
   * Of a release.
   *
   * @param serverVersionNum as {@code server_version_num} counts: 180006 is 18.6
   */
  public static PostgresMajor ofRelease(int serverVersionNum) {
    return new PostgresMajor(serverVersionNum / 10_000);
  }

  @Override
  public int compareTo(PostgresMajor other) {
    return Integer.compare(number, other.number);
  }

  @Override
  public String toString() {
    return Integer.toString(number);
  }
}
