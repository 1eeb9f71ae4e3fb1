/** The scaler in a real cluster. */
@NullMarked
package dev.ebb.launcher.scaler;

import org.jspecify.annotations.NullMarked;
