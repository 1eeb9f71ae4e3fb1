/** A client connection from its first byte to its last. */
@NullMarked
package dev.ebb.gateway.session;

import org.jspecify.annotations.NullMarked;
