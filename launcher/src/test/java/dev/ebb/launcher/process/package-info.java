/** Tests of whole processes: {@code ebb up}, and one process a service. */
@NullMarked
package dev.ebb.launcher.process;

import org.jspecify.annotations.NullMarked;
