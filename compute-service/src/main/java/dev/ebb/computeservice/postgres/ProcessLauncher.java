package dev.ebb.computeservice.postgres;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** How a {@code postgres} is started as another user and kept from outliving this process. */
public interface ProcessLauncher {

  /** The command line that runs {@code postgres} in the given data directory. */
  List<String> command(Path dataDirectory, OsUser user, List<String> postgres);

  /** Whether the command prints {@code pid N} first, and is not itself the postmaster. */
  boolean printsPid();

  /** How often a byte must be written to its standard input; zero for never. */
  Duration heartbeat();
}
