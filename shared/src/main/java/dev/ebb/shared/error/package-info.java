/** Errors grouped by what the caller should do about them. */
@NullMarked
package dev.ebb.shared.error;

import org.jspecify.annotations.NullMarked;
