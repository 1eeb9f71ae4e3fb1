package dev.ebb.computeservice.postgres;

import java.nio.file.Path;
import java.util.List;

/**
 * The settings of one compute, passed as {@code -c} arguments because those outrank everything a
 * user can write ({@code postgresql.auto.conf}, {@code ALTER ROLE} for what is set at start).
 *
 * @param size how large it may be
 * @param host where it listens, a loopback address by default
 * @param port its TCP port, also in the name of its unix socket
 * @param socketDirectory a directory of mode 0700 that only the OS user enters
 * @param hbaFile written by {@link HbaFile}
 * @param identFile an empty file
 * @param standbyName the name that wal-service's receiver carries; unguessable
 */
public record PostgresSettings(
    ComputeSize size,
    String host,
    int port,
    Path socketDirectory,
    Path hbaFile,
    Path identFile,
    String standbyName) {

  /** The argument list behind {@code postgres -D DIR}: {@code -c}, {@code name=value}, … */
  public List<String> arguments() {
    throw new UnsupportedOperationException("being written");
  }
}
