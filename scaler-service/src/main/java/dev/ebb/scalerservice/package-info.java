/**
 * Decides what runs. Hosts announce their computes every second; {@code decide} keeps the newest
 * announcement of each ({@code FleetWindow}) and makes decisions out of it ({@code Decider}, pure);
 * {@code Suspends} carries them out, at most one at a time a branch; each step is an event on the
 * bus and in a Kafka topic ({@code event}). {@code Lease} keeps all but one scaler quiet.
 */
@NullMarked
package dev.ebb.scalerservice;

import org.jspecify.annotations.NullMarked;
