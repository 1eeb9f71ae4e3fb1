package dev.ebb.pageservice.index;

/**
 * A pack, as the page index refers to it.
 *
 * @param bytes the object's size: a read never asks for more
 */
public record PackObject(String key, long bytes) {}
