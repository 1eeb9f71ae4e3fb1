package dev.ebb.shared.model;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A point in a branch's past, by position or by time.
 *
 * @param lsn for {@code LSN}, else {@code Lsn.INVALID}
 * @param epochMicros for {@code TIME}: microseconds since 1970-01-01 in UTC, else 0
 */
public record BranchPoint(Kind kind, Lsn lsn, long epochMicros) {
  private static final Pattern LSN = Pattern.compile("[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}");
  private static final Pattern AGO = Pattern.compile("-(\\d{1,6})(s|m|min|h|d)");

  /** ISO 8601 and PostgreSQL's output: a blank or T, a fraction or none, a zone or none (UTC). */
  private static final DateTimeFormatter DATE_TIME =
      new DateTimeFormatterBuilder()
          .append(DateTimeFormatter.ISO_LOCAL_DATE)
          .optionalStart()
          .appendLiteral('T')
          .optionalEnd()
          .optionalStart()
          .appendLiteral(' ')
          .optionalEnd()
          .appendPattern("HH:mm[:ss]")
          .optionalStart()
          .appendFraction(ChronoField.NANO_OF_SECOND, 0, 9, true)
          .optionalEnd()
          .optionalStart()
          .appendLiteral(' ')
          .optionalEnd()
          .optionalStart()
          .appendOffset("+HH:MM", "Z")
          .optionalEnd()
          .optionalStart()
          .appendOffset("+HHMM", "Z")
          .optionalEnd()
          .optionalStart()
          .appendOffset("+HH", "Z")
          .optionalEnd()
          .optionalStart()
          .appendLiteral("UTC")
          .optionalEnd()
          .toFormatter(java.util.Locale.ROOT);

  /** How a point is given. */
  public enum Kind {
    LSN,
    TIME
  }

  public static BranchPoint at(Lsn lsn) {
    return new BranchPoint(Kind.LSN, lsn, 0);
  }

  public static BranchPoint at(Instant time) {
    return new BranchPoint(
        Kind.TIME,
        Lsn.INVALID,
        Math.addExact(
            Math.multiplyExact(time.getEpochSecond(), 1_000_000), time.getNano() / 1_000));
  }

  /**
   * Reads {@code 0/16B3748}, {@code 2026-11-22T10:00:00Z} with any offset, PostgreSQL's {@code
   * 2026-11-22 10:00:00.123456+00}, or {@code -90m} (ago: s, m, h, d). A time without a zone is in
   * UTC.
   *
   * @throws IllegalArgumentException that says what would be understood
   */
  public static BranchPoint parse(String text, Instant now) {
    String trimmed = text.strip();
    if (LSN.matcher(trimmed).matches()) {
      return at(Lsn.parse(trimmed));
    }
    Matcher ago = AGO.matcher(trimmed);
    if (ago.matches()) {
      return at(now.minus(duration(Long.parseLong(ago.group(1)), ago.group(2))));
    }
    try {
      return at(
          DATE_TIME.parseBest(trimmed, OffsetDateTime::from, LocalDateTime::from)
                  instanceof OffsetDateTime zoned
              ? zoned.toInstant()
              : LocalDateTime.parse(trimmed, DATE_TIME).toInstant(ZoneOffset.UTC));
    } catch (DateTimeException | ArithmeticException e) {
      throw new IllegalArgumentException(
          "neither an LSN nor a time: \""
              + Names.printable(text)
              + "\"; use an LSN such as 0/16B3748, a time such as 2026-11-22T10:00:00Z or"
              + " \"2026-11-22 10:00:00.5+00\", or how long ago, such as -90m (s, m, h, d)",
          e);
    }
  }

  private static Duration duration(long number, String unit) {
    return switch (unit) {
      case "s" -> Duration.ofSeconds(number);
      case "h" -> Duration.ofHours(number);
      case "d" -> Duration.ofDays(number);
      default -> Duration.ofMinutes(number);
    };
  }

  /** The time of a {@code TIME}. */
  public Instant instant() {
    return Instant.ofEpochSecond(
        Math.floorDiv(epochMicros, 1_000_000), Math.floorMod(epochMicros, 1_000_000) * 1_000L);
  }

  @Override
  public String toString() {
    return kind == Kind.LSN ? lsn.toString() : instant().toString();
  }
}
