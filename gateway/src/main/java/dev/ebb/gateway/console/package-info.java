/**
 * The admin console: what poolers have for those who look after them, spoken to as to a database
 * ({@code psql -U ebb_admin -d ebb}).
 *
 * <p>{@code ConsoleSession} speaks PostgreSQL's protocol, simple and extended; {@code ConsoleText}
 * takes statements apart and {@code ConsoleCommands} knows what they mean; {@code GatewayView} is
 * what they see of the gateway. Names of commands and columns are PgBouncer's where they mean the
 * same.
 */
@NullMarked
package dev.ebb.gateway.console;

import org.jspecify.annotations.NullMarked;
