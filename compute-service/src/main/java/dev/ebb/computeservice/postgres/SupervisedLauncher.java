package dev.ebb.computeservice.postgres;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Starts programs through {@code ebb-supervise}, which changes the user, limits memory, and ends
 * everything when this process dies or stops sending heartbeats.
 *
 * @param supervisor the compiled {@code ebb-supervise}
 * @param preload the page shim for the program alone, or null for none
 * @param leaseSeconds how long it lives without a heartbeat; 0 for as long as this process
 * @param addressSpaceBytes limit of each of its processes; 0 for none
 */
public record SupervisedLauncher(
    Path supervisor, @Nullable Path preload, int leaseSeconds, long addressSpaceBytes)
    implements ProcessLauncher {

  /** Heartbeats a lease: some may be late. */
  private static final int BEATS_PER_LEASE = 4;

  @Override
  public List<String> command(@Nullable Path dataDirectory, OsUser user, List<String> program) {
    var command = new ArrayList<String>();
    command.add(supervisor.toString());
    if (user.switched()) {
      option(command, "--uid", user.uid());
      option(command, "--gid", user.gid());
    }
    if (leaseSeconds > 0) {
      option(command, "--lease-seconds", leaseSeconds);
    }
    if (addressSpaceBytes > 0) {
      option(command, "--address-space-bytes", addressSpaceBytes);
    }
    if (preload != null) {
      option(command, "--preload", preload);
    }
    if (dataDirectory != null) {
      option(command, "--datadir", dataDirectory);
    }
    command.add("--");
    command.addAll(program);
    return command;
  }

  private static void option(List<String> command, String name, Object value) {
    command.add(name);
    command.add(value.toString());
  }

  @Override
  public boolean printsPid() {
    return true;
  }

  @Override
  public Duration heartbeat() {
    return Duration.ofSeconds(leaseSeconds).dividedBy(BEATS_PER_LEASE);
  }
}
