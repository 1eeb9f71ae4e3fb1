/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL has it: what a server stores, and its side of an
 * exchange.
 */
@NullMarked
package dev.ebb.shared.scram;

import org.jspecify.annotations.NullMarked;
