/** What the scaler knows of the fleet and what follows from it; no clock, bus or thread in here. */
@NullMarked
package dev.ebb.scalerservice.decide;

import org.jspecify.annotations.NullMarked;
