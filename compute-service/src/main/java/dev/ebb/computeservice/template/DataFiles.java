package dev.ebb.computeservice.template;

import dev.ebb.shared.page.FileKey;
import java.util.Set;
import java.util.regex.Pattern;

/** Which files of a data directory belong into a snapshot, and how. */
public final class DataFiles {
  /** How a file is kept. */
  public enum Treatment {
    /** Block by block, in packs. */
    BLOCKS,
    /** Whole, in the manifest. */
    WHOLE,
    /** Not at all: PostgreSQL makes it again, or it means nothing elsewhere. */
    LEFT_OUT
  }

  /** Directories whose contents PostgreSQL throws away at a start, or that are kept elsewhere. */
  private static final Set<String> CONTENTS_LEFT_OUT =
      Set.of(
          "pg_wal",
          "pg_subtrans",
          "pg_notify",
          "pg_dynshmem",
          "pg_serial",
          "pg_snapshots",
          "pg_stat_tmp",
          "log");

  private static final Set<String> NAMES_LEFT_OUT =
      Set.of(
          "pg_internal.init",
          "postmaster.pid",
          "postmaster.opts",
          "current_logfiles",
          "backup_label.old",
          "tablespace_map.old",
          "postgresql.auto.conf.tmp");

  /** Relations of temporary tables: {@code t3_16384}. */
  private static final Pattern TEMPORARY_RELATION =
      Pattern.compile("base/\\d+/t\\d+_\\d+(?:_(?:fsm|vm|init))?(?:\\.\\d+)?");

  private static final String TEMPORARY_PREFIX = "pgsql_tmp";

  private DataFiles() {}

  /**
   * How a file is treated.
   *
   * @param path relative to the data directory
   */
  public static Treatment of(String path) {
    String name = path.substring(path.lastIndexOf('/') + 1);
    int slash = path.indexOf('/');
    String top = slash < 0 ? "" : path.substring(0, slash);
    if (CONTENTS_LEFT_OUT.contains(top)
        || NAMES_LEFT_OUT.contains(name)
        // pg_internal.init.PID while it is written
        || name.startsWith("pg_internal.init")
        || path.contains("/" + TEMPORARY_PREFIX)
        || TEMPORARY_RELATION.matcher(path).matches()) {
      return Treatment.LEFT_OUT;
    }
    return FileKey.parse(path).isPresent() ? Treatment.BLOCKS : Treatment.WHOLE;
  }

  /** Whether nothing that is in a directory is kept, whatever becomes of the directory itself. */
  public static boolean isEmptied(String directory) {
    return CONTENTS_LEFT_OUT.contains(directory);
  }

  /** Whether a directory is kept: all but those for temporary files and logs. */
  public static boolean keepsDirectory(String path) {
    return !path.equals("log")
        && !path.substring(path.lastIndexOf('/') + 1).startsWith("pgsql_tmp");
  }
}
