package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;

/**
 * The backend waits for the next statement.
 *
 * @param status {@code I} idle, {@code T} in a transaction, {@code E} in a failed one
 */
public record ReadyForQuery(byte status) implements BackendMessage {
  static final byte TYPE = 'Z';
  private static final int BYTES = 6;

  public Buffer encode() {
    return Buffer.buffer(BYTES).appendByte(TYPE).appendInt(5).appendByte(status);
  }
}
