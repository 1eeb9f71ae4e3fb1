/**
 * The configuration: one immutable tree of records, read once from a file, the command line and the
 * environment. Everything that is wrong with it is reported together.
 */
@NullMarked
package dev.ebb.launcher.config;

import org.jspecify.annotations.NullMarked;
