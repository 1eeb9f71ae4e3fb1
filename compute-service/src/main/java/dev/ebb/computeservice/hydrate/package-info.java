/** Answers the page shim: a process of {@code postgres} that needs absent blocks asks here. */
@NullMarked
package dev.ebb.computeservice.hydrate;

import org.jspecify.annotations.NullMarked;
