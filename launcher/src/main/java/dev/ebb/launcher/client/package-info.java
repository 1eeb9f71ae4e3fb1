/**
 * A client of Ebb's HTTP API, made for commands that live for a moment: it finds the running
 * server's address and token in the data directory and loads few classes.
 */
@NullMarked
package dev.ebb.launcher.client;

import org.jspecify.annotations.NullMarked;
