/**
 * Running services: all of them in one process ({@code ebb up}, {@link Up}) or one in a process of
 * its own ({@code ebb run}, {@link ServiceProcess}). The order of a start: data directory and its
 * lock, ports, then broker, cluster and object store side by side, then the services; of a stop:
 * the gateway first, then computes, and what they need last.
 */
@NullMarked
package dev.ebb.launcher.up;

import org.jspecify.annotations.NullMarked;
