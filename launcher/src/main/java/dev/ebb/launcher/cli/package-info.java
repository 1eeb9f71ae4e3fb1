/**
 * The commands of {@code ebb}. Those that only ask the API live for a moment and must not load
 * Vert.x, Kafka or Hazelcast; {@code up} and {@code run} hand over to the package {@code up}.
 * Answers go to standard output, everything else to standard error. Exit codes: {@link ExitCodes}.
 */
@NullMarked
package dev.ebb.launcher.cli;

import org.jspecify.annotations.NullMarked;
