package dev.ebb.shared.archive;

/**
 * A record of a branch's topic, as the topic had it.
 *
 * @param offset in the topic
 * @param kind the tag of its kind, 1 to 127
 * @param generation of its term
 * @param writer of its term
 * @param lsn its key
 * @param bytes its value
 */
public record ArchivedRecord(
    long offset, int kind, long generation, long writer, long lsn, byte[] bytes) {}
