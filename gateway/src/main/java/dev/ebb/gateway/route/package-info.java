/** From the name in a startup packet to a branch, its roles and its compute. */
@NullMarked
package dev.ebb.gateway.route;

import org.jspecify.annotations.NullMarked;
