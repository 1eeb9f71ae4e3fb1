/** How much of a thing one address, or one database, gets of a gateway in a time. */
@NullMarked
package dev.ebb.gateway.limit;

import org.jspecify.annotations.NullMarked;
