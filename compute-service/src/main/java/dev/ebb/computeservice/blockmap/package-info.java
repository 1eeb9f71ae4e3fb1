/**
 * The block map: which blocks of which files a compute has on its local disk, and which differ from
 * the last snapshot. Shared with the page shim inside {@code postgres} through one memory-mapped
 * file; {@code src/main/native/arena.h} is the authority on its layout and protocol.
 */
@NullMarked
package dev.ebb.computeservice.blockmap;

import org.jspecify.annotations.NullMarked;
