/**
 * What is sent to the gateway by nobody who means well: by clients, whose messages are taken from a
 * small corpus and broken at random, and by computes, whose answers are. Whoever else is connected
 * must notice nothing. A run repeats from its seed.
 */
@NullMarked
package dev.ebb.gateway.fuzz;

import org.jspecify.annotations.NullMarked;
