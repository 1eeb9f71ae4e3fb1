/**
 * The stored form of a branch's log: the records of its topic, as they were, with their offsets.
 * Who reads them folds them as he folds a topic.
 */
@NullMarked
package dev.ebb.shared.archive;

import org.jspecify.annotations.NullMarked;
