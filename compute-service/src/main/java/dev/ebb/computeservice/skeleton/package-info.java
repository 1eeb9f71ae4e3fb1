/**
 * Lays out the data directory that PostgreSQL starts on: real directories, small files, no pages.
 */
@NullMarked
package dev.ebb.computeservice.skeleton;

import org.jspecify.annotations.NullMarked;
