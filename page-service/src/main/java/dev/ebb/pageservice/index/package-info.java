/**
 * The page index: where every page of a snapshot is. Recent pages stand in the manifest itself; the
 * others are in a copy-on-write search tree whose nodes are ranges of {@code index/} objects. A
 * commit writes what changed, a lookup reads one node a level, and what is stored never changes, so
 * that snapshots and branches share nodes and caches keep them for ever.
 */
@NullMarked
package dev.ebb.pageservice.index;

import org.jspecify.annotations.NullMarked;
