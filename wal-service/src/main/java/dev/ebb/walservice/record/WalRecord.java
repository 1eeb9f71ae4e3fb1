package dev.ebb.walservice.record;

import dev.ebb.shared.model.Lsn;

/**
 * One record whose checksum is right ({@code src/include/access/xlogrecord.h}).
 *
 * @param start where its header starts, never inside a page header
 * @param end behind its last byte, rounded up to 8 bytes, before any page header that follows; of a
 *     segment switch: the next segment's start. It is what PostgreSQL's {@code EndRecPtr} is
 * @param previous the record before it
 * @param totalLength bytes with the header, without page headers
 * @param transaction the transaction id, 0 for none
 * @param resourceManager {@code xl_rmid}
 * @param info {@code xl_info}
 */
public record WalRecord(
    Lsn start,
    Lsn end,
    Lsn previous,
    int totalLength,
    int transaction,
    int resourceManager,
    int info) {}
