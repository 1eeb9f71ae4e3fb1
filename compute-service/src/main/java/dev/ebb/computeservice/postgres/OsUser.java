package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The operating system's user that runs PostgreSQL, which refuses to run as root.
 *
 * @param name for messages
 * @param uid its numeric id
 * @param gid its primary group
 * @param switched whether it is another user than this process's: files must be handed over
 */
public record OsUser(String name, int uid, int gid, boolean switched) {

  /**
   * The configured user where this process runs as root, else the user it runs as.
   *
   * @param configured the name of the user for a process of root, usually {@code postgres}
   * @throws EbbException.Invalid where this process runs as root and no such user exists, or that
   *     user is root as well
   */
  public static OsUser choose(String configured) {
    try {
      Path self = Path.of("/proc/self");
      int uid = (Integer) Files.getAttribute(self, "unix:uid");
      int gid = (Integer) Files.getAttribute(self, "unix:gid");
      if (uid != 0) {
        return new OsUser(System.getProperty("user.name"), uid, gid, false);
      }
    } catch (IOException | UnsupportedOperationException e) {
      throw new EbbException.Unavailable("cannot tell which user this process runs as", e);
    }
    return lookup(configured)
        .filter(user -> user.uid() != 0)
        .orElseThrow(() ->
            new EbbException.Invalid(
                "PostgreSQL does not run as root and there is no user \""
                    + configured
                    + "\" to run it as: create it (useradd --system "
                    + configured
                    + "), name another one in the configuration, or start Ebb as an"
                    + " ordinary user"));
  }

  /** The user in {@code /etc/passwd}, else what {@code id} knows (directory services). */
  static Optional<OsUser> lookup(String name) {
    try {
      for (String line : Files.readAllLines(Path.of("/etc/passwd"), StandardCharsets.ISO_8859_1)) {
        String[] fields = line.split(":", -1);
        if (fields.length >= 4 && fields[0].equals(name)) {
          return Optional.of(
              new OsUser(name, Integer.parseInt(fields[2]), Integer.parseInt(fields[3]), true));
        }
      }
      Integer uid = id("-u", name);
      Integer gid = id("-g", name);
      return uid == null || gid == null
          ? Optional.empty()
          : Optional.of(new OsUser(name, uid, gid, true));
    } catch (IOException | NumberFormatException e) {
      throw new EbbException.Unavailable("cannot look up the user \"" + name + "\"", e);
    }
  }

  private static @Nullable Integer id(String option, String name) throws IOException {
    Process process =
        new ProcessBuilder("id", option, "--", name)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String printed =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
    return printed.isEmpty() ? null : Integer.valueOf(printed);
  }

  /**
   * Checks by their mode bits that this user can enter a directory and all above it.
   *
   * @throws EbbException.Invalid naming the one that is closed
   */
  public void requireReach(Path directory) throws IOException {
    if (!switched) {
      return;
    }
    for (Path at = directory.toRealPath(); at != null; at = at.getParent()) {
      Map<String, Object> facts = Files.readAttributes(at, "unix:mode,uid,gid");
      int mode = (Integer) Objects.requireNonNull(facts.get("mode"));
      boolean owner = Objects.equals(facts.get("uid"), uid);
      boolean group = Objects.equals(facts.get("gid"), gid);
      int needed = owner ? 0100 : group ? 0010 : 0001;
      if ((mode & needed) == 0) {
        throw new EbbException.Invalid(
            "the user \""
                + name
                + "\", who runs PostgreSQL, cannot enter "
                + at
                + ": choose a data directory elsewhere, or chmod o+x "
                + at);
      }
    }
  }

  /** Makes a file or directory this user's; nothing where it is this process's own user. */
  public void own(Path path) throws IOException {
    if (switched) {
      Ownership.change(path, uid, gid);
    }
  }

  /** {@link #own} for a directory and everything in it. */
  public void ownAll(Path root) throws IOException {
    if (!switched) {
      return;
    }
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            own(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
              throws IOException {
            own(directory);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
