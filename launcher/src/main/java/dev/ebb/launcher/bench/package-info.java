/**
 * Measures a running server beside the same PostgreSQL alone, in one run: {@code bench wake} and
 * {@code bench overhead}. The two are measured in turns, so that what else the machine does hits
 * both, and results are ratios. Everything that a run makes is gone after it, also after Ctrl-C.
 */
@NullMarked
package dev.ebb.launcher.bench;

import org.jspecify.annotations.NullMarked;
