package dev.ebb.gateway.protocol;

/** What a client may send first: packets without a type byte. */
public sealed interface StartupPacket
    permits CancelRequest, GssEncRequest, SslRequest, StartupMessage {}
