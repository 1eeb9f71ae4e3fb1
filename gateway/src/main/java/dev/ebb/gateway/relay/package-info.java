/** Bytes both ways between a client and its compute. */
@NullMarked
package dev.ebb.gateway.relay;

import org.jspecify.annotations.NullMarked;
