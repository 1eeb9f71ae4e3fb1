/**
 * Sees to it that every branch has as many replicas as are wanted of it. How many that is, is in
 * the catalog ({@code WantedReplicas} reads it); which run, the hosts announce. One host at a time
 * compares the two and has replicas started and ended, at itself and others: {@code ReplicaKeeper}.
 * Should two take themselves for that one for a moment, a replica too many is started, and ended
 * again.
 */
@NullMarked
package dev.ebb.computeservice.replicas;

import org.jspecify.annotations.NullMarked;
