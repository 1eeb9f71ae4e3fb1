/**
 * The WAL sender: streams a branch's log to stock standbys and to {@code pg_receivewal}. A
 * connection is a {@code SenderSession}; what it sends comes from a {@code WalHistory}, the one
 * place that decides what may be sent: whole records only, known to be durable.
 *
 * <p>Why never less than a whole record: a later generation's WAL begins at the end of the last
 * whole record in the log (decision 3), so that the bytes of a record that is not whole may be
 * overridden by others. A standby that had got them would have to unlearn them. A record that is
 * whole in the durable prefix of the log is whole for whoever fences it later: he reads at least
 * that prefix, and begins behind it.
 */
@NullMarked
package dev.ebb.walservice.send;

import org.jspecify.annotations.NullMarked;
