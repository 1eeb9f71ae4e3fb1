package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Names;
import dev.ebb.shared.model.PostgresMajor;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A PostgreSQL release.
 *
 * @param number as {@code server_version_num} counts: 180006 is 18.6
 */
public record PostgresVersion(int number) {
  private static final Pattern PRINTED =
      Pattern.compile("postgres \\(PostgreSQL\\) (\\d{1,3})\\.(\\d{1,3})\\b.*", Pattern.DOTALL);

  /**
   * Of the majors whose file formats are known here. Earlier ones acknowledge commits before the
   * checkpointer has set synchronous replication up, or mishandle the replay of a truncation over a
   * fuzzy copy.
   */
  private static final Map<Integer, Integer> MINIMUM_MINOR =
      Map.of(14, 22, 15, 17, 16, 12, 17, 8, 18, 2);

  /** The majors that Ebb knows how to run, in order. */
  static List<PostgresMajor> majors() {
    return MINIMUM_MINOR.keySet().stream().map(PostgresMajor::new).sorted().toList();
  }

  /** Parses what {@code postgres --version} prints. */
  public static PostgresVersion parse(String printed) {
    Matcher matcher = PRINTED.matcher(printed);
    if (!matcher.matches()) {
      throw new EbbException.Invalid(
          "not a released PostgreSQL: --version printed \"" + Names.printable(printed) + "\"");
    }
    return new PostgresVersion(
        Integer.parseInt(matcher.group(1)) * 10_000 + Integer.parseInt(matcher.group(2)));
  }

  public int major() {
    return number / 10_000;
  }

  public int minor() {
    return number % 10_000;
  }

  /**
   * Returns itself, or refuses a release that Ebb cannot run.
   *
   * @throws EbbException.Invalid naming the release and the oldest that will do
   */
  public PostgresVersion requireSupported() {
    Integer minimum = MINIMUM_MINOR.get(major());
    if (minimum == null) {
      throw new EbbException.Invalid(
          "PostgreSQL " + this + " is not supported: use a release of 14 to 18");
    }
    if (minor() < minimum) {
      throw new EbbException.Invalid(
          "PostgreSQL "
              + this
              + " can lose acknowledged commits under synchronous replication: use "
              + major()
              + "."
              + minimum
              + " or newer");
    }
    return this;
  }

  /** As PostgreSQL prints it: {@code 18.6}. */
  @Override
  public String toString() {
    return major() + "." + minor();
  }
}
