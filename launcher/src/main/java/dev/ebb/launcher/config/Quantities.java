package dev.ebb.launcher.config;

import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Durations such as {@code 5m} and sizes such as {@code 256MB}, read and written. */
public final class Quantities {
  private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m|h|d)");
  private static final Pattern SIZE = Pattern.compile("(\\d{1,9})(kB|KB|MB|GB|TB|B)");
  private static final Pattern RATE = Pattern.compile("([1-9]\\d{0,8})/([smhd])");
  private static final String NO_LIMIT = "0";
  private static final long KILO = 1024;

  private Quantities() {}

  /** A number with ms, s, m, h or d; a plain 0; otherwise nothing. */
  public static Optional<Duration> parseDuration(String text) {
    String word = text.strip().toLowerCase(Locale.ROOT);
    if ("0".equals(word)) {
      return Optional.of(Duration.ZERO);
    }
    Matcher matcher = DURATION.matcher(word);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    long number = Long.parseLong(matcher.group(1));
    return Optional.of(
        switch (matcher.group(2)) {
          case "ms" -> Duration.ofMillis(number);
          case "s" -> Duration.ofSeconds(number);
          case "m" -> Duration.ofMinutes(number);
          case "h" -> Duration.ofHours(number);
          default -> Duration.ofDays(number);
        });
  }

  /** The shortest text that {@link #parseDuration} reads back. */
  public static String format(Duration duration) {
    long millis = duration.toMillis();
    if (millis == 0) {
      return "0";
    }
    if (millis % 1000 != 0) {
      return millis + "ms";
    }
    long seconds = millis / 1000;
    if (seconds % 86400 == 0) {
      return seconds / 86400 + "d";
    }
    if (seconds % 3600 == 0) {
      return seconds / 3600 + "h";
    }
    return seconds % 60 == 0 ? seconds / 60 + "m" : seconds + "s";
  }

  /** A number, a slash and s, m, h or d; or a plain 0 for no limit; otherwise nothing. */
  static Optional<EbbConfig.Rate> parseRate(String text) {
    String word = text.strip();
    if (NO_LIMIT.equals(word)) {
      return Optional.of(new EbbConfig.Rate(0, Duration.ofSeconds(1)));
    }
    Matcher matcher = RATE.matcher(word);
    return matcher.matches()
        ? parseDuration("1" + matcher.group(2))
            .map(per -> new EbbConfig.Rate(Integer.parseInt(matcher.group(1)), per))
        : Optional.empty();
  }

  /** The text that {@link #parseRate} reads back. */
  static String format(EbbConfig.Rate rate) {
    return rate.count() == 0 ? NO_LIMIT : rate.count() + "/" + format(rate.per()).substring(1);
  }

  /** A number with B, kB, MB, GB or TB (powers of 1024); a plain 0; otherwise nothing. */
  public static Optional<Long> parseBytes(String text) {
    String word = text.strip();
    if ("0".equals(word)) {
      return Optional.of(0L);
    }
    Matcher matcher = SIZE.matcher(word);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    long unit =
        switch (matcher.group(2)) {
          case "B" -> 1;
          case "kB", "KB" -> KILO;
          case "MB" -> KILO * KILO;
          case "GB" -> KILO * KILO * KILO;
          default -> KILO * KILO * KILO * KILO;
        };
    long number = Long.parseLong(matcher.group(1));
    return number > Long.MAX_VALUE / unit ? Optional.empty() : Optional.of(number * unit);
  }

  /** The shortest text that {@link #parseBytes} reads back. */
  public static String formatBytes(long bytes) {
    if (bytes == 0) {
      return "0";
    }
    String[] units = {"B", "kB", "MB", "GB", "TB"};
    int unit = 0;
    long number = bytes;
    while (unit < units.length - 1 && number % KILO == 0) {
      number /= KILO;
      unit++;
    }
    return number + units[unit];
  }
}
