/**
 * Runs the pure writer of {@code walservice.log} on real topics: one session is one term. Threads,
 * waiting and deadlines are here.
 */
@NullMarked
package dev.ebb.walservice.session;

import org.jspecify.annotations.NullMarked;
