/**
 * Branches of a log: where a parent's log is to be cut, and the copy that a child's log begins
 * with.
 */
@NullMarked
package dev.ebb.walservice.fork;

import org.jspecify.annotations.NullMarked;
