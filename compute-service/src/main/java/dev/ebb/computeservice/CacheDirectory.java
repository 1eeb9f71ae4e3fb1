package dev.ebb.computeservice;

import dev.ebb.computeservice.blockmap.ArenaDirectory;
import dev.ebb.computeservice.blockmap.NativeFiles;
import dev.ebb.computeservice.blockmap.ShimSymbols;
import dev.ebb.computeservice.postgres.OsUser;
import dev.ebb.computeservice.postgres.Trees;
import dev.ebb.shared.error.EbbException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The host's cache directory: made, checked, and cleared of what a killed predecessor left. */
final class CacheDirectory {
  private static final Logger log = LoggerFactory.getLogger(CacheDirectory.class);

  /** A unix socket's path has at most 107 bytes; the longest name below run/ has 40. */
  private static final int MAX_RUN_PATH = 67;

  private CacheDirectory() {}

  static void prepare(ComputeServiceConfig config, OsUser user) {
    try {
      for (Path directory : config.directories()) {
        Files.createDirectories(directory);
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
      }
      user.requireReach(config.cacheDir());
      if (config.runDir().toString().length() > MAX_RUN_PATH) {
        throw new EbbException.Invalid(
            "the path "
                + config.runDir()
                + " is too long for unix sockets: use a data directory"
                + " with a path of at most "
                + (MAX_RUN_PATH - 10)
                + " characters");
      }
      for (Path leftovers : List.of(config.computesDir(), config.runDir())) {
        clear(leftovers);
      }
      boolean spread = TopDirectory.mark(config.computesDir());
      log.debug("{}: {}", config.computesDir(), spread ? "spread over the disk" : "not spread");
    } catch (IOException e) {
      throw new EbbException.Unavailable(
          "the cache directory " + config.cacheDir() + " cannot be used: " + e, e);
    }
  }

  /**
   * Deletes what an earlier process left, after ending PostgreSQL processes that still run in it.
   */
  private static void clear(Path directory) throws IOException {
    try (Stream<Path> children = Files.list(directory)) {
      for (Path child : children.toList()) {
        Path pidFile = child.resolve("data").resolve("postmaster.pid");
        if (Files.exists(pidFile)) {
          end(pidFile, child.resolve("data"));
        }
        Trees.delete(child);
      }
    }
  }

  /** Ends the postmaster that a pid file names, if it is one that runs in that data directory. */
  private static void end(Path pidFile, Path dataDirectory) throws IOException {
    List<String> lines = Files.readAllLines(pidFile);
    if (lines.isEmpty() || !lines.getFirst().strip().matches("\\d{1,9}")) {
      return;
    }
    long pid = Long.parseLong(lines.getFirst().strip());
    Path cwd = Path.of("/proc", Long.toString(pid), "cwd");
    try {
      if (!Files.readSymbolicLink(cwd).equals(dataDirectory.toRealPath())) {
        return;
      }
    } catch (IOException e) {
      return; // no such process
    }
    log.warn("a PostgreSQL of an earlier run still runs in {}: ending it", dataDirectory);
    ProcessHandle.of(pid)
        .ifPresent(process -> {
          process.destroyForcibly();
          process.onExit().orTimeout(10, java.util.concurrent.TimeUnit.SECONDS).join();
        });
  }

  /** After {@link #prepare}: the computes that used the block maps of a predecessor have ended. */
  static ArenaDirectory openArenas(ComputeServiceConfig config) {
    try {
      return ArenaDirectory.open(config.arenasDir());
    } catch (IOException e) {
      throw new EbbException.Unavailable("there is no place for block maps: " + e, e);
    }
  }

  static NativeFiles unpackNatives(ComputeServiceConfig config, OsUser user) {
    Path directory = config.cacheDir().resolve("native");
    try {
      Files.createDirectories(directory);
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
      NativeFiles natives = NativeFiles.unpack(directory);
      log.debug("native files for {} in {}", user.name(), directory);
      return natives;
    } catch (IOException e) {
      throw new EbbException.Unavailable("the page shim cannot be unpacked: " + e, e);
    }
  }

  /** A binary that reads files in ways that the shim does not cover would read absent pages. */
  static void requireKnownSymbols(Path postgres) {
    try {
      ShimSymbols.check(postgres);
    } catch (IOException e) {
      throw new EbbException.Invalid(String.valueOf(e.getMessage()));
    }
  }
}
