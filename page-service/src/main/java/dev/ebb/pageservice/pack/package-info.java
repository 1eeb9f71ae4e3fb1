/**
 * Packs: immutable objects of many pages. Pages are compressed one by one, each with a checksum
 * over its bytes and its place; an index at the end of the object finds them.
 */
@NullMarked
package dev.ebb.pageservice.pack;

import org.jspecify.annotations.NullMarked;
