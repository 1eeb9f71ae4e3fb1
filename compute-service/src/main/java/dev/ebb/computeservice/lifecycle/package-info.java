/**
 * From asleep to running and back: a {@code Host} has a {@code Slot} for each branch, a slot has a
 * {@code Primary} while the branch is awake. {@code PrimaryStarter} makes one out of the branch's
 * head, {@code Suspender} ends one with a capture. All of it runs on virtual threads and blocks.
 */
@NullMarked
package dev.ebb.computeservice.lifecycle;

import org.jspecify.annotations.NullMarked;
