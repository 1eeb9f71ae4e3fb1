/**
 * What records say, in the words of {@code pg_waldump}: {@link dev.ebb.shared.wal.text.RecordText}.
 *
 * <p>Most of a description is text with fields of the record's main data in between; {@code
 * Templates} has these texts by version, {@code Template} fills them in. What repeats or depends on
 * other fields is a part with a name ({@code HeapParts}, {@code IndexParts}, {@code SystemParts},
 * {@code TransactionParts}).
 *
 * <p>Sources: {@code src/backend/access/rmgrdesc/} of PostgreSQL 14 to 18 for what is told, and the
 * structures in {@code src/include/access/*xlog.h} and the other headers that it includes for where
 * it lies.
 */
@NullMarked
package dev.ebb.shared.wal.text;

import org.jspecify.annotations.NullMarked;
