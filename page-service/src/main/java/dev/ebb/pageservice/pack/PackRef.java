package dev.ebb.pageservice.pack;

/**
 * A pack, with what a reader of its index needs.
 *
 * @param key the object
 * @param bytes the object's size
 * @param indexBytes the size of the index at its end
 */
public record PackRef(String key, long bytes, int indexBytes) {}
