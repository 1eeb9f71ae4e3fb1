/**
 * From asleep to running and back: a {@code Host} has a {@code Slot} for each branch, a slot has a
 * {@code Primary} while the branch is awake. {@code PrimaryStarter} makes one out of the branch's
 * head, and its suspend ends it with a capture. {@code Replicas} has the host's replicas, each made
 * by {@code ReplicaStarter}. Both kinds are a {@code PostgresInstance} that {@code
 * PostgresInstances} lays out and launches: one path, on which {@code Kind} decides what differs.
 * All of it runs on virtual threads and blocks.
 */
@NullMarked
package dev.ebb.computeservice.lifecycle;

import org.jspecify.annotations.NullMarked;
