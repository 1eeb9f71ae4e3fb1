/**
 * The chain of records in a history, with the decoder of {@code dev.ebb.shared.wal}. What a record
 * means is not read here. Pure: bytes in, records out; no input makes it loop or overrun.
 */
@NullMarked
package dev.ebb.walservice.record;

import org.jspecify.annotations.NullMarked;
