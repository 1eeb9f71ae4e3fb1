package dev.ebb.shared.model;

import org.jspecify.annotations.Nullable;

/**
 * What a login needs to know of a role, as {@code pg_authid} has it.
 *
 * @param name the role's name
 * @param verifier {@code rolpassword} (a SCRAM-SHA-256 verifier), or null where no password is set
 * @param canLogin {@code rolcanlogin}
 * @param superuser {@code rolsuper}
 * @param replication {@code rolreplication}
 * @param connectionLimit {@code rolconnlimit}, -1 for none
 * @param validUntilEpochMs {@code rolvaliduntil} in ms since the epoch, {@code Long.MAX_VALUE} for
 *     never
 */
public record RoleState(
    String name,
    @Nullable Secret verifier,
    boolean canLogin,
    boolean superuser,
    boolean replication,
    int connectionLimit,
    long validUntilEpochMs) {}
