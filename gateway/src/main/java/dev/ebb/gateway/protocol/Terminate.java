package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;

/** Ends the session. */
public record Terminate() implements FrontendMessage {
  static final byte TYPE = 'X';

  public Buffer encode() {
    return Buffer.buffer(5).appendByte(TYPE).appendInt(4);
  }
}
