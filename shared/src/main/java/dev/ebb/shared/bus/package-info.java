/** Typed messages on the event bus: their tags, their encoding, and requests with a deadline. */
@NullMarked
package dev.ebb.shared.bus;

import org.jspecify.annotations.NullMarked;
