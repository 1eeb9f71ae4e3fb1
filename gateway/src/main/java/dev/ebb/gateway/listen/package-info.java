/**
 * Listening on a port that another gateway may take over: {@code SO_REUSEPORT}, and the way in
 * which the one that leaves has the kernel give all new connections to the other.
 */
@NullMarked
package dev.ebb.gateway.listen;

import org.jspecify.annotations.NullMarked;
