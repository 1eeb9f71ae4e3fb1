package dev.ebb.computeservice.template;

import dev.ebb.computeservice.postgres.OsUser;
import dev.ebb.computeservice.postgres.PostgresBinaries;
import java.io.IOException;
import java.nio.file.Path;

/** Makes the cluster that every new database starts from. */
public final class TemplateMaker {
  /** The database that becomes the user's, by renaming. */
  public static final String DATABASE = "ebb_template";

  /** The bootstrap superuser of every cluster. */
  public static final String ADMIN = "ebb_admin";

  /** The WAL segment size of every cluster. */
  public static final int WAL_SEGMENT_BYTES = 4 << 20;

  private final PostgresBinaries binaries;
  private final OsUser user;

  public TemplateMaker(PostgresBinaries binaries, OsUser user) {
    this.binaries = binaries;
    this.user = user;
  }

  /**
   * Runs {@code initdb}, makes the database, freezes everything and stops cleanly. Takes seconds.
   *
   * @param dataDirectory must not exist; its parent must, and the OS user must be able to enter it
   */
  public StoppedCluster make(Path dataDirectory) throws IOException {
    throw new UnsupportedOperationException("being written " + binaries + user + dataDirectory);
  }
}
