package dev.ebb.pageservice.index;

/** Where a page's record is. */
public record PageLocation(PackObject pack, int offset, int length) {}
