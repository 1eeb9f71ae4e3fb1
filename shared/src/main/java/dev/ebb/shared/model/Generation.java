package dev.ebb.shared.model;

/**
 * Rises by one each time a primary of the branch is started; fences older primaries.
 *
 * @param value 0 before the first start
 */
public record Generation(long value) implements Comparable<Generation> {
  public static final Generation NONE = new Generation(0);

  public Generation {
    if (value < 0) {
      throw new IllegalArgumentException("a generation is never negative: " + value);
    }
  }

  public Generation next() {
    return new Generation(value + 1);
  }

  @Override
  public int compareTo(Generation other) {
    return Long.compare(value, other.value);
  }

  @Override
  public String toString() {
    return Long.toString(value);
  }
}
