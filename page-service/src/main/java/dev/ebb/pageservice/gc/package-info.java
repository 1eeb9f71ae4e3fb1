/**
 * Looks after what is stored: {@code Survey} finds what is reachable from the heads of branches,
 * their histories and the templates; {@code Collector} deletes what is not; {@code Compactor}
 * copies what is left of packs that are mostly dead into new ones. Each may stop anywhere: nothing
 * is referred to before it is stored, and nothing deleted that is referred to.
 */
@NullMarked
package dev.ebb.pageservice.gc;

import org.jspecify.annotations.NullMarked;
