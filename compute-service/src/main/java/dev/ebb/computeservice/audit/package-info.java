/**
 * Audits captures against the WAL: every block that a record below the snapshot's redo point
 * changed must be in the snapshot as that record left it, or later.
 */
@NullMarked
package dev.ebb.computeservice.audit;

import org.jspecify.annotations.NullMarked;
