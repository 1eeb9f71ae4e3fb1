package dev.ebb.shared.model;

/**
 * A position in the WAL: a byte offset since the beginning of the log, unsigned. Printed as
 * PostgreSQL prints it ({@code 0/16B3748}); see {@code src/include/access/xlogdefs.h}.
 *
 * @param value the byte offset; 0 is "invalid", as PostgreSQL's {@code InvalidXLogRecPtr}
 */
public record Lsn(long value) implements Comparable<Lsn> {
  public static final Lsn INVALID = new Lsn(0);

  /** Parses {@code X/Y}, both hexadecimal with at most 8 digits. */
  public static Lsn parse(String text) {
    int slash = text.indexOf('/');
    if (slash < 1 || slash > 8 || text.length() - slash < 2 || text.length() - slash > 9) {
      throw new IllegalArgumentException(
          "not an LSN: \"" + text + "\"; expected two hexadecimal numbers such as 0/16B3748");
    }
    try {
      if (text.indexOf('+') >= 0 || text.indexOf('-') >= 0) {
        throw new NumberFormatException("a sign");
      }
      long high = Long.parseLong(text, 0, slash, 16);
      long low = Long.parseLong(text, slash + 1, text.length(), 16);
      return new Lsn(high << 32 | low);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "not an LSN: \"" + text + "\"; expected two hexadecimal numbers such as 0/16B3748", e);
    }
  }

  public boolean isValid() {
    return value != 0;
  }

  public Lsn plus(long bytes) {
    return new Lsn(value + bytes);
  }

  /** Bytes from {@code other} to this position; negative where this lies before it. */
  public long minus(Lsn other) {
    return value - other.value;
  }

  public boolean isBefore(Lsn other) {
    return compareTo(other) < 0;
  }

  public boolean isAfter(Lsn other) {
    return compareTo(other) > 0;
  }

  public static Lsn max(Lsn a, Lsn b) {
    return a.isBefore(b) ? b : a;
  }

  @Override
  public int compareTo(Lsn other) {
    return Long.compareUnsigned(value, other.value);
  }

  @Override
  public String toString() {
    return String.format("%X/%X", value >>> 32, value & 0xFFFFFFFFL);
  }
}
