/**
 * Who may log in, judged by SCRAM-SHA-256; and the same as a client towards computes, with keys
 * instead of a password.
 */
@NullMarked
package dev.ebb.gateway.auth;

import org.jspecify.annotations.NullMarked;
