/**
 * Reads the framing of PostgreSQL's WAL, versions 14 to 18: pages, records across pages, checksums,
 * the chain of records. What a record means is not read here. Pure: bytes in, records out; no input
 * makes it loop or overrun.
 */
@NullMarked
package dev.ebb.walservice.record;

import org.jspecify.annotations.NullMarked;
