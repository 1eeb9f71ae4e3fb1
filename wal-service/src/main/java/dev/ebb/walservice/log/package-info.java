/**
 * The log of a branch as a pure state machine: what a topic's records mean to a reader ({@link
 * dev.ebb.walservice.log.LogFold}), and what a writer must do and see before it may acknowledge
 * ({@link dev.ebb.walservice.log.LogWriter}). No Kafka, no threads, no clock: commands out, events
 * in, so that a seeded simulation can run it. The reasoning is in {@code
 * docs/decisions/0003-offset-contiguity.md}.
 */
@NullMarked
package dev.ebb.walservice.log;

import org.jspecify.annotations.NullMarked;
