package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.ServerLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which server is measured, with what, and how the result is printed. */
final class ServerOptions {
  @Option(
      names = "--data",
      paramLabel = "DIR",
      defaultValue = "${env:EBB_DATA:-.ebb}",
      description = "Data directory of the running server (default: ${DEFAULT-VALUE}).")
  private Path data = Path.of(".ebb");

  @Option(
      names = "--scratch",
      paramLabel = "DIR",
      description =
          "Where the bare PostgreSQL has its files: a disk like the server's, not memory"
              + " (default: the data directory).")
  private @Nullable Path scratch;

  @Option(
      names = "--os-user",
      paramLabel = "USER",
      defaultValue = "postgres",
      description =
          "Runs the bare PostgreSQL where this command runs as root (default: ${DEFAULT-VALUE}).")
  private String osUser = "postgres";

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @SuppressWarnings("UnusedVariable") // picocli reads it
  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this.")
  private boolean help;

  boolean json() {
    return json;
  }

  /** The server, which must run on this machine. */
  BenchServer server() {
    ServerLocation location = ServerLocation.read(data);
    if (location == null) {
      throw new BenchFailure(
          "no server runs in "
              + data
              + ": start one with \"./ebb up\", or name its data directory with --data");
    }
    try {
      String token = System.getenv("EBB_TOKEN");
      return new BenchServer(
          location,
          token == null || token.isBlank()
              ? Files.readString(data.resolve("token")).strip()
              : token);
    } catch (IOException e) {
      throw new BenchFailure("cannot read the API's token in " + data + ": " + e, e);
    }
  }

  PostgresPrograms programs(BenchServer.Compute compute) {
    return PostgresPrograms.of(compute.pid(), osUser);
  }

  /**
   * A directory for this run that the programs can enter: below the data directory where they can,
   * else beside the programs, where computes have their files as well.
   */
  Path scratch(PostgresPrograms programs, Cleanup cleanup) {
    List<Path> parents =
        scratch != null
            ? List.of(scratch.toAbsolutePath())
            : List.of(data.toAbsolutePath(), programs.directory().resolve("../..").normalize());
    for (Path parent : parents) {
      try {
        Path directory = Files.createTempDirectory(Files.createDirectories(parent), "bench");
        cleanup.add("delete " + directory, () -> Cleanup.deleteTree(directory));
        programs.own(directory);
        if (programs.canReach(directory)) {
          return directory;
        }
      } catch (IOException e) {
        throw new BenchFailure("cannot write below " + parent + ": " + e, e);
      }
    }
    throw new BenchFailure(
        "the user that runs PostgreSQL cannot enter "
            + parents
            + ": name a directory that it can with --scratch");
  }
}
