/** SCRAM-SHA-256 as PostgreSQL stores it. */
@NullMarked
package dev.ebb.shared.scram;

import org.jspecify.annotations.NullMarked;
