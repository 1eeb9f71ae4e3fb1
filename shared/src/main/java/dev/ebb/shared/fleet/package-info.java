/** Which computes run where, as their hosts announce it. */
@NullMarked
package dev.ebb.shared.fleet;

import org.jspecify.annotations.NullMarked;
