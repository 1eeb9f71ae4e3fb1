/**
 * Checks what is stored: a walk over everything reachable that verifies every checksum, and a
 * comparison with what there is. Whoever asked is told how far it is, and what was found, bit by
 * bit.
 */
@NullMarked
package dev.ebb.pageservice.check;

import org.jspecify.annotations.NullMarked;
