package dev.ebb.pageservice.index;

import dev.ebb.pageservice.pack.FileId;

/** What the tree says of a file's blocks from {@code fromBlock} on holds no more. */
public record Cut(FileId file, int fromBlock) {}
