/**
 * A real Kafka broker inside the process, for an Ebb that runs on one machine. Nothing else of the
 * WAL service knows whether its broker is this one.
 */
@NullMarked
package dev.ebb.walservice.broker;

import org.jspecify.annotations.NullMarked;
