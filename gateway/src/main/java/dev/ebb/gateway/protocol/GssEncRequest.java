package dev.ebb.gateway.protocol;

/** Asks for GSSAPI encryption; answered with {@code N}. */
public record GssEncRequest() implements StartupPacket {
  static final int CODE = 80877104;
}
