package dev.ebb.computeservice.blockmap;

/**
 * What the shim has counted, over all processes of the compute.
 *
 * @param absentReads reads and writes that found an absent block
 * @param requests requests sent to the agent
 * @param waitNanos time spent waiting for the agent
 * @param writerFills absent blocks overwritten whole, without a fetch
 * @param readRetries reads repeated because the block changed under them
 * @param materialised files made on the local disk by the shim
 * @param errors operations that failed closed
 * @param durableWaits cancelled commit waits that were held
 * @param adopted files found on the disk that nobody had recorded
 * @param hints hints of reads to come, sent to the agent
 * @param damaged reads of blocks whose stored bytes are not what was written
 */
public record ShimStatistics(
    long absentReads,
    long requests,
    long waitNanos,
    long writerFills,
    long readRetries,
    long materialised,
    long errors,
    long durableWaits,
    long adopted,
    long hints,
    long damaged) {}
