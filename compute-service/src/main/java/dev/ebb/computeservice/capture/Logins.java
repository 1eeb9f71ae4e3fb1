package dev.ebb.computeservice.capture;

import dev.ebb.shared.model.DatabaseAccess;
import dev.ebb.shared.model.RoleState;
import java.util.List;

/**
 * What whoever wants to log in is judged by while no compute runs.
 *
 * @param roles every role
 * @param restricted the databases that are not open to everybody
 */
public record Logins(List<RoleState> roles, List<DatabaseAccess> restricted) {}
