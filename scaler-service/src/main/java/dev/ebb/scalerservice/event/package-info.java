/** The record of what was decided: a port, its Kafka form, and the JSON that goes there. */
@NullMarked
package dev.ebb.scalerservice.event;

import org.jspecify.annotations.NullMarked;
