package dev.ebb.computeservice.postgres;

import java.nio.file.Path;

/**
 * PostgreSQL's programs and libraries, unpacked.
 *
 * @param directory holds {@code bin}, {@code lib} and {@code share}
 * @param version what {@code postgres --version} said
 */
public record PostgresBinaries(Path directory, PostgresVersion version) {

  /**
   * Unpacks the binaries for this CPU below {@code parent}, unless they are there already. Safe for
   * processes that do it at the same time.
   *
   * @param parent {@code <data>/postgres}; made where it is missing
   * @param user who must be able to run them
   */
  public static PostgresBinaries unpack(Path parent, OsUser user) {
    throw new UnsupportedOperationException("being written");
  }

  /** The path of a program: {@code postgres}, {@code initdb}, {@code pg_ctl}. */
  public Path bin(String name) {
    return directory.resolve("bin").resolve(name);
  }
}
