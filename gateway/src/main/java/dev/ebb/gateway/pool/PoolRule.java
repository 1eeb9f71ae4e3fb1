package dev.ebb.gateway.pool;

import org.jspecify.annotations.Nullable;

/**
 * Other terms for some clients.
 *
 * @param database its name; of all its branches
 * @param role null: all of them
 */
public record PoolRule(String database, @Nullable String role, PoolTerms terms) {
  boolean isFor(String ofDatabase, String ofRole) {
    return database.equals(ofDatabase) && (role == null || role.equals(ofRole));
  }
}
