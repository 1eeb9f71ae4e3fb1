package dev.ebb.gateway.protocol;

/** A message of a backend's that is passed on as it is: ParameterStatus, NoticeResponse. */
public record VerbatimMessage(byte type, byte[] bytes) implements BackendMessage {}
