package dev.ebb.computeservice.postgres;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How a program of PostgreSQL's is started as another user and kept from outliving Ebb. */
public interface ProcessLauncher {

  /**
   * The command line that runs a program.
   *
   * @param dataDirectory where it runs and what it may leave behind there is cleaned up, or null
   * @param user who runs it
   * @param program an absolute path and its arguments
   */
  List<String> command(@Nullable Path dataDirectory, OsUser user, List<String> program);

  /** Whether {@code pid N} is printed first, because the process started is not the program. */
  boolean printsPid();

  /** How often a byte must be written to its standard input; zero for never. */
  Duration heartbeat();
}
