/** What Ebb asks of a running compute by SQL, as the bootstrap superuser {@code ebb_admin}. */
@NullMarked
package dev.ebb.computeservice.sql;

import org.jspecify.annotations.NullMarked;
