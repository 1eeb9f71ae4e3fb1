package dev.ebb.shared.bus;

/** Done; there is nothing else to say. */
public record Ok() implements BusMessage {}
