package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.PostgresMajor;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * PostgreSQL's programs and libraries, unpacked from an archive that is on the class path. The
 * build puts one for each major version there, from Maven artifacts.
 *
 * @param directory holds {@code bin}, {@code lib} and {@code share}
 * @param version what {@code postgres --version} said
 */
public record PostgresBinaries(Path directory, PostgresVersion version) {
  /** Written last into an unpacked directory, with the version. */
  private static final String VERSION_FILE = "ebb-version";

  private static final String TEMPORARY_PREFIX = ".unpacking-";
  private static final Duration TEMPORARY_LIFE = Duration.ofHours(1);
  private static final int VERSION_TIMEOUT_SECONDS = 20;

  /**
   * Unpacks the binaries for this CPU below {@code parent}, unless they are there already: some
   * seconds the first time, some ten milliseconds (a checksum of the archive) later. Safe for
   * processes that do it at the same time.
   *
   * @param parent {@code <data>/postgres}; made where it is missing
   * @param user who must be able to run them
   * @throws EbbException.Invalid for a CPU or a major version of which there is no archive, a
   *     release that Ebb refuses, or a directory that the user cannot enter
   * @throws EbbException.Unavailable where the disk does not take them
   */
  public static PostgresBinaries unpack(Path parent, OsUser user, PostgresMajor major) {
    return unpack(parent, user, resourceFor(major, System.getProperty("os.arch")));
  }

  /** The major versions of which there are archives for this CPU, in order. */
  static List<PostgresMajor> majors() {
    return PostgresVersion.majors().stream()
        .filter(major ->
            loader().getResource(resourceFor(major, System.getProperty("os.arch"))) != null)
        .toList();
  }

  private static ClassLoader loader() {
    return PostgresBinaries.class.getClassLoader();
  }

  static PostgresBinaries unpack(Path parent, OsUser user, String resource) {
    try {
      Files.createDirectories(parent);
      user.requireReach(parent);
      removeAbandoned(parent);
      String suffix = "-" + hashOf(resource);
      Optional<PostgresBinaries> present = find(parent, suffix);
      return present.isPresent() ? present.get() : unpackNew(parent, suffix, resource);
    } catch (IOException e) {
      throw new EbbException.Unavailable(
          "cannot unpack PostgreSQL below " + parent + ": " + e.getMessage(), e);
    }
  }

  /** The path of a program: {@code postgres}, {@code initdb}, {@code pg_ctl}. */
  public Path bin(String name) {
    return directory.resolve("bin").resolve(name);
  }

  static String resourceFor(PostgresMajor major, String architecture) {
    String directory = "postgresql/" + major + "/";
    return switch (architecture) {
      case "amd64", "x86_64" -> directory + "postgres-linux-x86_64.txz";
      case "aarch64", "arm64" -> directory + "postgres-linux-arm_64.txz";
      default ->
          throw new EbbException.Invalid(
              "no PostgreSQL binaries for the CPU \""
                  + architecture
                  + "\": Ebb runs on x86-64 and"
                  + " on 64-bit ARM");
    };
  }

  private static InputStream open(String resource) throws IOException {
    InputStream stream = loader().getResourceAsStream(resource);
    if (stream == null) {
      throw new EbbException.Invalid(
          resource
              + " is not on the class path: build Ebb on a machine with this CPU, or with Maven's"
              + " option -P postgresql-amd64,postgresql-arm64");
    }
    return stream;
  }

  private static String hashOf(String resource) throws IOException {
    try (InputStream stream = open(resource)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] buffer = new byte[1 << 16];
      for (int n = stream.read(buffer); n >= 0; n = stream.read(buffer)) {
        digest.update(buffer, 0, n);
      }
      return HexFormat.of().formatHex(digest.digest(), 0, 4);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  private static Optional<PostgresBinaries> find(Path parent, String suffix) throws IOException {
    try (DirectoryStream<Path> found = Files.newDirectoryStream(parent, "*" + suffix)) {
      for (Path directory : found) {
        Path version = directory.resolve(VERSION_FILE);
        if (Files.isRegularFile(version)) {
          return Optional.of(
              new PostgresBinaries(
                  directory, PostgresVersion.parse(Files.readString(version)).requireSupported()));
        }
      }
    }
    return Optional.empty();
  }

  private static PostgresBinaries unpackNew(Path parent, String suffix, String resource)
      throws IOException {
    Path temporary = parent.resolve(TEMPORARY_PREFIX + UUID.randomUUID());
    try {
      Files.createDirectory(temporary);
      Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rwxr-xr-x"));
      extract(resource, temporary);
      String printed = printedVersion(temporary.resolve("bin/postgres"));
      PostgresVersion version = PostgresVersion.parse(printed).requireSupported();
      Files.writeString(temporary.resolve(VERSION_FILE), printed);
      Path target = parent.resolve(version + suffix);
      try {
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      } catch (IOException e) {
        // Another process was faster; anything else is a real failure.
        return find(parent, suffix).orElseThrow(() -> e);
      }
      return new PostgresBinaries(target, version);
    } finally {
      Trees.delete(temporary);
    }
  }

  private static void extract(String resource, Path target) throws IOException {
    try (var archive =
        new TarArchiveInputStream(new XZInputStream(new BufferedInputStream(open(resource))))) {
      for (TarArchiveEntry entry = archive.getNextEntry();
          entry != null;
          entry = archive.getNextEntry()) {
        Path path = target.resolve(entry.getName()).normalize();
        if (!path.startsWith(target)) {
          throw new EbbException.Corrupt(resource + " holds a path outside of itself");
        }
        if (entry.isDirectory()) {
          Files.createDirectories(path);
        } else if (entry.isSymbolicLink()) {
          Files.createDirectories(path.getParent());
          Files.createSymbolicLink(path, Path.of(entry.getLinkName()));
        } else {
          Files.createDirectories(path.getParent());
          try (OutputStream out = Files.newOutputStream(path)) {
            archive.transferTo(out);
          }
          // Whoever runs PostgreSQL may read it; nobody but the owner may change it.
          boolean program = (entry.getMode() & 0100) != 0;
          Files.setPosixFilePermissions(
              path, PosixFilePermissions.fromString(program ? "rwxr-xr-x" : "rw-r--r--"));
        }
      }
    }
    openDirectories(target);
  }

  /** A strict umask must not keep the OS user out. */
  private static void openDirectories(Path root) throws IOException {
    try (var tree = Files.walk(root)) {
      for (Path directory : (Iterable<Path>) tree.filter(Files::isDirectory)::iterator) {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
      }
    }
  }

  private static String printedVersion(Path postgres) throws IOException {
    Process process =
        new ProcessBuilder(postgres.toString(), "--version")
            .redirectErrorStream(true)
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .start();
    try {
      byte[] printed = process.getInputStream().readNBytes(4096);
      if (!process.waitFor(VERSION_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        throw new EbbException.Unavailable("postgres --version does not answer");
      }
      return new String(printed, StandardCharsets.UTF_8).strip();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EbbException.Unavailable("interrupted while asking postgres for its version", e);
    } finally {
      process.destroyForcibly();
    }
  }

  /** What a killed process left behind. */
  private static void removeAbandoned(Path parent) throws IOException {
    try (DirectoryStream<Path> found = Files.newDirectoryStream(parent, TEMPORARY_PREFIX + "*")) {
      for (Path directory : found) {
        Instant changed = Files.getLastModifiedTime(directory).toInstant();
        if (changed.isBefore(Instant.now().minus(TEMPORARY_LIFE))) {
          Trees.delete(directory);
        }
      }
    }
  }
}
