/**
 * What stands between a read and the object store: memory of this process (L1), then a Hazelcast
 * map (L2), then ranged reads of the store (L3). What is cached never changes: it is keyed by pack
 * and position, and packs are immutable.
 */
@NullMarked
package dev.ebb.pageservice.cache;

import org.jspecify.annotations.NullMarked;
