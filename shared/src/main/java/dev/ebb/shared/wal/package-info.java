/**
 * Decodes PostgreSQL's WAL, versions 14 to 18, without a PostgreSQL: bytes in, records out.
 *
 * <p>{@link dev.ebb.shared.wal.WalReader} is pushed bytes in pieces of any size and finds pages and
 * records in them; {@link dev.ebb.shared.wal.WalCursor} pulls the bytes from a source. Both show
 * one {@link dev.ebb.shared.wal.WalRecord} at a time, with its {@link dev.ebb.shared.wal.WalBlock}
 * references and the page images in them. {@link dev.ebb.shared.wal.ResourceManager} names records
 * as {@code pg_waldump} does; {@link dev.ebb.shared.wal.TransactionEnd} and {@link
 * dev.ebb.shared.wal.PreparedTransaction} read what commits, aborts and prepares say.
 *
 * <p>Whatever the bytes are: each step ends, memory stays bounded by what was announced, has
 * arrived and is allowed to be kept, and what is wrong with them is told by {@link
 * dev.ebb.shared.wal.WalException} alone.
 *
 * <p>The words are PostgreSQL's. Its sources for the format: {@code
 * src/include/access/xlog_internal.h}, {@code xlogrecord.h}, {@code rmgrlist.h}, {@code xact.h},
 * {@code src/backend/access/transam/xlogreader.c}, {@code src/backend/access/rmgrdesc/}. All
 * numbers are little-endian, pages of WAL and of relations have 8192 bytes.
 */
@NullMarked
package dev.ebb.shared.wal;

import org.jspecify.annotations.NullMarked;
