package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;

/** What a later {@link CancelRequest} must name. */
public record BackendKeyData(int processId, int secretKey) implements BackendMessage {
  static final byte TYPE = 'K';

  public Buffer encode() {
    return Buffer.buffer(13)
        .appendByte(TYPE)
        .appendInt(12)
        .appendInt(processId)
        .appendInt(secretKey);
  }

  @Override
  public String toString() {
    return "BackendKeyData[processId=" + processId + ", secretKey=***]";
  }
}
