package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.PostgresMajor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this host has of PostgreSQL: one release for each major version. A major's archive is
 * unpacked when it is first needed. Thread-safe; who needs the same one waits for it.
 */
public final class PostgresReleases {
  private static final Logger log = LoggerFactory.getLogger(PostgresReleases.class);

  private final Path directory;
  private final OsUser user;
  private final Consumer<PostgresBinaries> check;
  private final List<PostgresMajor> majors;
  private final Map<PostgresMajor, Release> releases = new ConcurrentHashMap<>();

  /** Guarded by its lock. */
  private static final class Release {
    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable PostgresBinaries binaries;
  }

  /**
   * Of those that are on the class path; unpacks nothing yet.
   *
   * @param directory where they are unpacked
   * @param user who runs them
   * @param check throws what it has against binaries, before they are first used
   */
  public PostgresReleases(Path directory, OsUser user, Consumer<PostgresBinaries> check) {
    this(directory, user, check, PostgresBinaries.majors());
  }

  PostgresReleases(
      Path directory, OsUser user, Consumer<PostgresBinaries> check, List<PostgresMajor> majors) {
    this.directory = directory;
    this.user = user;
    this.check = check;
    this.majors = List.copyOf(majors);
  }

  /** The major versions that there are, in order. */
  public List<PostgresMajor> majors() {
    return majors;
  }

  /** Whether a database of that version can be made and run here. */
  public boolean has(PostgresMajor major) {
    return majors.contains(major);
  }

  /** The versions for a message: {@code 14, 15 and 18}. */
  public String list() {
    if (majors.isEmpty()) {
      return "none";
    }
    String last = majors.getLast().toString();
    return majors.size() == 1
        ? last
        : majors.subList(0, majors.size() - 1).stream()
                .map(PostgresMajor::toString)
                .collect(Collectors.joining(", "))
            + " and "
            + last;
  }

  /**
   * Makes those ready that were used on this machine before, so that the first wake does not wait
   * for it. What fails is tried again when it is needed.
   */
  public void prepareKnown() {
    for (PostgresMajor major : majors) {
      try (var unpacked = Files.newDirectoryStream(directory, major + ".*")) {
        if (unpacked.iterator().hasNext()) {
          require(major);
        }
      } catch (IOException | EbbException e) {
        log.warn("PostgreSQL {} is not ready: {}", major, e.getMessage());
      }
    }
  }

  /**
   * The binaries of a major version. Takes seconds the first time ever on this machine, some ten
   * milliseconds the first time of this process.
   *
   * @throws EbbException.Unavailable where there are none of it on this host
   * @throws EbbException.Invalid where what there is cannot be used
   */
  public PostgresBinaries require(PostgresMajor major) {
    if (!has(major)) {
      throw new EbbException.Unavailable(
          "this host has no PostgreSQL "
              + major
              + ", which the database needs; it has "
              + list()
              + ": run an Ebb that brings it");
    }
    Release release = releases.computeIfAbsent(major, m -> new Release());
    release.lock.lock();
    try {
      PostgresBinaries known = release.binaries;
      if (known == null) {
        known = PostgresBinaries.unpack(directory, user, major);
        if (known.version().major() != major.number()) {
          throw new EbbException.Invalid(
              "what should be PostgreSQL " + major + " is " + known.version());
        }
        check.accept(known);
        log.info("PostgreSQL {} is in {}", known.version(), known.directory());
        release.binaries = known;
      }
      return known;
    } finally {
      release.lock.unlock();
    }
  }
}
