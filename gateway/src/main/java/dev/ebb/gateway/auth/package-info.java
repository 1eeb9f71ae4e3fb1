/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677): as the server towards clients, as a client towards computes
 * with keys instead of a password.
 */
@NullMarked
package dev.ebb.gateway.auth;

import org.jspecify.annotations.NullMarked;
