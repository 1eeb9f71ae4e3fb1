/**
 * Receives a primary's WAL as its synchronous standby and hands it to the log. pgjdbc carries the
 * connection; the confirmations are written here, past pgjdbc, because its reads hold its lock and
 * because on its own it confirms what it should not.
 */
@NullMarked
package dev.ebb.walservice.receive;

import org.jspecify.annotations.NullMarked;
