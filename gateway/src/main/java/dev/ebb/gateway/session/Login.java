package dev.ebb.gateway.session;

import dev.ebb.gateway.protocol.StartupMessage;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.scram.ScramKeys;
import java.util.LinkedHashMap;

/** An authenticated client's wish: who, where, and what else the backend must be told. */
record Login(
    String user, BranchAddress address, BranchId branch, StartupMessage asked, ScramKeys keys) {

  /** The same without a parameter of the startup packet. */
  Login without(String parameter) {
    var parameters = new LinkedHashMap<>(asked.parameters());
    parameters.remove(parameter);
    return new Login(
        user,
        address,
        branch,
        new StartupMessage(asked.minorVersion(), parameters, asked.protocolOptions()),
        keys);
  }

  /**
   * The startup packet for the compute: as the client's, with PostgreSQL's own database name. In
   * the newest protocol, whatever the client's is: what differs is the compute's own key for cancel
   * requests, which no client sees. PostgreSQL before 18 negotiates it down.
   */
  StartupMessage forBackend() {
    var parameters = new LinkedHashMap<>(asked.parameters());
    parameters.remove("replication");
    parameters.put("user", user);
    parameters.put("database", address.database());
    return new StartupMessage(StartupMessage.NEWEST_MINOR_VERSION, parameters, java.util.List.of());
  }
}
