/**
 * Captures: pages stream in, packs are written as they fill, and a commit makes manifest, packs and
 * boot pack the branch's newest snapshot by one compare-and-set on its head. Before that nothing
 * refers to them.
 */
@NullMarked
package dev.ebb.pageservice.capture;

import org.jspecify.annotations.NullMarked;
