package dev.ebb.launcher.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;

/** What {@code /metrics} said: Prometheus' text format, as far as Micrometer writes it. */
final class MetricsText {
  private final List<Series> series = new ArrayList<>();

  private record Series(String name, String labels, double value) {}

  MetricsText(String text) {
    for (String line : text.split("\n", -1)) {
      int space = line.lastIndexOf(' ');
      if (line.startsWith("#") || space < 1) {
        continue;
      }
      String key = line.substring(0, space);
      int brace = key.indexOf('{');
      try {
        series.add(
            new Series(
                brace < 0 ? key : key.substring(0, brace),
                brace < 0 ? "" : key.substring(brace),
                Double.parseDouble(line.substring(space + 1))));
      } catch (NumberFormatException e) {
        // A timestamp or an exemplar, which Micrometer does not write here.
      }
    }
  }

  /**
   * How long the timed thing took, where it happened exactly once since {@code before}.
   *
   * @param timer the name as Prometheus has it, without {@code _seconds} and what follows
   * @param labels each such as {@code part="auth"}; none for any
   */
  OptionalLong onceMicros(MetricsText before, String timer, String... labels) {
    double count =
        sum(timer + "_seconds_count", labels) - before.sum(timer + "_seconds_count", labels);
    double seconds =
        sum(timer + "_seconds_sum", labels) - before.sum(timer + "_seconds_sum", labels);
    return Math.abs(count - 1) < 0.5
        ? OptionalLong.of(Math.round(seconds * 1e6))
        : OptionalLong.empty();
  }

  /** All series of a name that have these labels. */
  double sum(String name, String... labels) {
    return series.stream()
        .filter(one -> one.name().equals(name) && hasAll(one, labels))
        .mapToDouble(Series::value)
        .sum();
  }

  private static boolean hasAll(Series one, String... labels) {
    return Arrays.stream(labels).allMatch(one.labels()::contains);
  }
}
