package dev.ebb.computeservice.template;

import dev.ebb.computeservice.postgres.OsUser;
import dev.ebb.computeservice.postgres.PostgresBinaries;
import dev.ebb.computeservice.postgres.ProcessLauncher;
import dev.ebb.computeservice.postgres.Trees;
import dev.ebb.shared.error.EbbException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Makes the cluster that every new database starts from. PostgreSQL runs in its single-user mode
 * for that, which needs neither ports nor sockets.
 */
public final class TemplateMaker {
  /** The database that becomes the user's, by renaming. */
  public static final String DATABASE = "ebb_template";

  /** The bootstrap superuser of every cluster. */
  public static final String ADMIN = "ebb_admin";

  /**
   * The WAL segment size of every cluster: small, so that a local log is given back early; a start
   * touches three pages of one, whatever its size.
   */
  public static final int WAL_SEGMENT_BYTES = 4 << 20;

  private static final Duration TIMEOUT = Duration.ofMinutes(2);
  private static final int MAX_OUTPUT_BYTES = 64 * 1024;

  /** Ebb passes what matters as arguments; these are the defaults that a user may override. */
  private static final String CONFIGURATION =
      """
      # Ebb passes its settings as arguments, which outrank this file.
      datestyle = 'iso, mdy'
      timezone = 'UTC'
      default_text_search_config = 'pg_catalog.english'
      """;

  private final PostgresBinaries binaries;
  private final OsUser user;
  private final ProcessLauncher launcher;

  public TemplateMaker(PostgresBinaries binaries, OsUser user, ProcessLauncher launcher) {
    this.binaries = binaries;
    this.user = user;
    this.launcher = launcher;
  }

  /**
   * Runs {@code initdb}, makes the database, freezes everything and stops cleanly. Takes a second
   * or two.
   *
   * @param dataDirectory made here; its parent must exist, and the OS user must be able to enter it
   * @throws EbbException.Conflict where the directory exists
   * @throws EbbException.Unavailable where a step fails; the message carries its output
   */
  public StoppedCluster make(Path dataDirectory) throws IOException {
    if (Files.exists(dataDirectory)) {
      throw new EbbException.Conflict(dataDirectory + " exists already");
    }
    Path parent = dataDirectory.toAbsolutePath().getParent();
    if (parent != null) {
      user.requireReach(parent);
    }
    boolean made = false;
    try {
      Files.createDirectory(dataDirectory);
      user.own(dataDirectory);
      initialise(dataDirectory);
      Files.writeString(dataDirectory.resolve("postgresql.conf"), CONFIGURATION);
      single(
          dataDirectory,
          "template1",
          "CREATE DATABASE " + DATABASE + " OWNER " + ADMIN,
          "VACUUM (FREEZE, ANALYZE)");
      single(dataDirectory, "postgres", "VACUUM (FREEZE, ANALYZE)");
      // The last one: its shutdown checkpoint is the one that counts.
      single(dataDirectory, DATABASE, "VACUUM (FREEZE, ANALYZE)", "CHECKPOINT");
      removeDeadWeight(dataDirectory);
      StoppedCluster cluster = StoppedCluster.read(dataDirectory);
      made = true;
      return cluster;
    } finally {
      if (!made) {
        Trees.delete(dataDirectory);
      }
    }
  }

  /**
   * What would ride in every manifest for nothing: statistics about the making of the template, and
   * access rules that {@code hba_file} and {@code ident_file} replace.
   */
  private static void removeDeadWeight(Path dataDirectory) throws IOException {
    for (String path : List.of("pg_hba.conf", "pg_ident.conf")) {
      Files.deleteIfExists(dataDirectory.resolve(path));
    }
    // 14 has several of them.
    try (var statistics = Files.newDirectoryStream(dataDirectory.resolve("pg_stat"), "*.stat")) {
      for (Path file : statistics) {
        Files.delete(file);
      }
    }
  }

  private void initialise(Path dataDirectory) throws IOException {
    var program =
        new ArrayList<>(
            List.of(
                binaries.bin("initdb").toString(),
                "--pgdata=" + dataDirectory,
                "--username=" + ADMIN,
                // No template survives a crash half made.
                "--no-sync",
                "--wal-segsize=" + (WAL_SEGMENT_BYTES >> 20),
                "--encoding=UTF8",
                // Its order of text does not change with the machine's C library.
                "--locale=C",
                // Never read: every compute gets its own hba_file.
                "--auth=reject"));
    int major = binaries.version().major();
    if (major >= 17) {
      // As fixed, and it knows all letters; before, C alone is, and it knows those of ASCII.
      program.addAll(List.of("--locale-provider=builtin", "--builtin-locale=C.UTF-8"));
    }
    if (major >= 18) {
      // Packs carry checksums, and hint bits would have to be logged. Off by default before.
      program.add("--no-data-checksums");
    }
    run("initdb", null, program);
  }

  /** Each statement is one line of the single-user backend's input. */
  private void single(Path dataDirectory, String database, String... statements)
      throws IOException {
    Path input = Files.createTempFile("ebb-template", ".sql");
    try {
      Files.writeString(input, String.join("\n", statements) + "\n");
      user.own(input);
      String output =
          run(
              "postgres --single",
              dataDirectory,
              List.of(
                  "/bin/sh",
                  "-c",
                  // The supervisor keeps standard input for itself.
                  "input=$1; shift; exec \"$@\" < \"$input\"",
                  "sh",
                  input.toString(),
                  binaries.bin("postgres").toString(),
                  "--single",
                  "-D",
                  dataDirectory.toString(),
                  "-c",
                  "fsync=off",
                  "-c",
                  "wal_init_zero=off",
                  "-c",
                  "log_checkpoints=off",
                  database));
      // A failing statement does not end the single-user mode.
      if (output.contains("ERROR:") || output.contains("FATAL:") || output.contains("PANIC:")) {
        throw new EbbException.Unavailable("making the template failed: " + output.strip());
      }
    } finally {
      Files.deleteIfExists(input);
    }
  }

  private String run(String what, @Nullable Path dataDirectory, List<String> program)
      throws IOException {
    Path output = Files.createTempFile("ebb-template", ".log");
    try {
      var builder =
          new ProcessBuilder(launcher.command(dataDirectory, user, program))
              .redirectErrorStream(true)
              .redirectOutput(output.toFile());
      Map<String, String> environment = builder.environment();
      environment.clear();
      environment.put("PATH", "/usr/local/bin:/usr/bin:/bin");
      environment.put("LC_ALL", "C");
      environment.put("TZ", "UTC");
      Process process = builder.start();
      try {
        if (!process.waitFor(TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
          throw new EbbException.Unavailable(
              what + " takes longer than " + TIMEOUT.toSeconds() + " s");
        }
      } finally {
        process.destroyForcibly();
      }
      String text = tail(output);
      if (process.exitValue() != 0) {
        throw new EbbException.Unavailable(
            what + " ended with status " + process.exitValue() + ": " + text.strip());
      }
      return text;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EbbException.Unavailable("interrupted while making a template", e);
    } finally {
      Files.deleteIfExists(output);
    }
  }

  private static String tail(Path file) throws IOException {
    try (var in = Files.newInputStream(file)) {
      return new String(in.readNBytes(MAX_OUTPUT_BYTES), StandardCharsets.UTF_8);
    }
  }
}
