package dev.ebb.shared.model;

import java.util.List;

/**
 * Who may connect to a database inside a branch's cluster, as {@code pg_database} has it. Only told
 * of databases that are not open to everybody without a limit.
 *
 * @param database its name inside the cluster
 * @param allowsConnections {@code datallowconn}
 * @param connectionLimit {@code datconnlimit}, -1 for none
 * @param refused roles that may log in, but do not have the {@code CONNECT} privilege
 */
public record DatabaseAccess(
    String database, boolean allowsConnections, int connectionLimit, List<String> refused) {
  public DatabaseAccess {
    refused = List.copyOf(refused);
  }

  /** Whether it is a database that needs no telling of. */
  public boolean isOpen() {
    return allowsConnections && connectionLimit < 0 && refused.isEmpty();
  }
}
