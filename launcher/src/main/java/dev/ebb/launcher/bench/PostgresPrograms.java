package dev.ebb.launcher.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The PostgreSQL binaries that the computes run, run as an ordinary user.
 *
 * @param directory holds {@code bin}
 * @param switchTo who runs them where this process is root, which PostgreSQL refuses; else null
 */
record PostgresPrograms(Path directory, @Nullable String switchTo) {
  /**
   * Those that a compute of this machine runs.
   *
   * @param postmaster its process
   * @param osUser runs them where this process is root
   */
  static PostgresPrograms of(long postmaster, String osUser) {
    try {
      // bin/postgres
      Path program = Path.of("/proc", Long.toString(postmaster), "exe").toRealPath();
      Path directory = Objects.requireNonNull(program.getParent()).getParent();
      return new PostgresPrograms(Objects.requireNonNull(directory), isRoot() ? osUser : null);
    } catch (IOException e) {
      throw new BenchFailure(
          "cannot see which PostgreSQL process "
              + postmaster
              + " runs: run the bench on the server's machine, as the server's user ("
              + e
              + ")",
          e);
    }
  }

  private static boolean isRoot() throws IOException {
    return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
  }

  /** A command line; may be appended to. */
  List<String> command(String program, String... arguments) {
    List<String> command = asUser();
    command.add(directory.resolve("bin").resolve(program).toString());
    command.addAll(List.of(arguments));
    return command;
  }

  /** What stands before a command that an ordinary user is to run; nothing where this is one. */
  List<String> asUser() {
    List<String> command = new ArrayList<>();
    if (switchTo != null) {
      // Runs the program in its own place, so that the process id is the program's.
      command.addAll(
          List.of("setpriv", "--reuid", switchTo, "--regid", switchTo, "--clear-groups", "--"));
    }
    return command;
  }

  /** Whether the user that runs the programs can enter a directory. */
  boolean canReach(Path directory) throws IOException {
    List<String> command = asUser();
    command.addAll(List.of("test", "-x", directory.toString()));
    try {
      return new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchFailure("interrupted", e);
    }
  }

  /** A process with an environment like a compute's, and all its output appended to a file. */
  ProcessBuilder builder(List<String> command, Path log) {
    var builder =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
    String path = builder.environment().get("PATH");
    builder.environment().clear();
    builder
        .environment()
        .putAll(Map.of("LC_ALL", "C", "TZ", "UTC", "PATH", path == null ? "/usr/bin:/bin" : path));
    return builder;
  }

  /** Hands a file over to the user that runs the programs. */
  void own(Path path) throws IOException {
    if (switchTo != null) {
      UserPrincipal user =
          path.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName(switchTo);
      Files.setAttribute(path, "posix:owner", user, LinkOption.NOFOLLOW_LINKS);
    }
  }
}
