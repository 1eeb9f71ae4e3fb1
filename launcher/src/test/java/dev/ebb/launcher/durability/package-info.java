/**
 * What must be true of the data whatever is killed or stopped, and whoever believes to be alive.
 */
@NullMarked
package dev.ebb.launcher.durability;

import org.jspecify.annotations.NullMarked;
