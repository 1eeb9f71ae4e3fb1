/**
 * {@code ebb wal}: reads branches' logs, from Kafka and from the archive, by itself: no server has
 * to run.
 */
@NullMarked
package dev.ebb.launcher.wal;

import org.jspecify.annotations.NullMarked;
