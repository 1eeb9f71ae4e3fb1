package dev.ebb.gateway.protocol;

/** Asks for TLS; answered with one byte, {@code S} or {@code N}. */
public record SslRequest() implements StartupPacket {
  static final int CODE = 80877103;
}
